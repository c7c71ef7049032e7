/** The URLs of buckets, their credentials, and what is done with a bucket beside keeping objects in it. */

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { minioCredentials } from '../../src/store/bucket-credentials.ts';
import {
  allowPublicRead,
  ensureBucket,
  isBucketUrl,
  isPubliclyReadable,
  listenForObjects,
  openStore,
  publicUrl,
} from '../../src/store/index.ts';
import { parseBucketUrl } from '../../src/store/s3-url.ts';
import { startS3Stub } from './s3-stub/index.ts';

const stub = await startS3Stub();
beforeEach(() => stub.reset());
after(() => stub.close());

test('a URL says where the objects are', () => {
  const aws = parseBucketUrl('s3://my-bucket/some/prefix/?region=eu-west-1');
  assert.deepEqual([aws.bucket, aws.prefix, aws.region], ['my-bucket', 'some/prefix/', 'eu-west-1']);
  assert.deepEqual([aws.endpoint, aws.pathStyle], [undefined, false]);
  const other = parseBucketUrl('s3://my-bucket?endpoint=https://s3.example:9000&concurrency=5');
  assert.deepEqual([other.prefix, other.endpoint, other.pathStyle], ['', 'https://s3.example:9000', true]);
  assert.deepEqual([other.region, other.concurrency], ['us-east-1', 5]);
  const minio = parseBucketUrl('minio://127.0.0.1:9000/my-bucket/a%20b?tls=true');
  assert.deepEqual([minio.bucket, minio.prefix, minio.endpoint], ['my-bucket', 'a b/', 'https://127.0.0.1:9000']);
  assert.deepEqual(['s3://b', 'MINIO://h/b', 'file:///x', 'https://s3.example'].map(isBucketUrl), [
    true,
    true,
    false,
    false,
  ]);
});

test('a URL that is not exactly one of a bucket is refused by what is wrong with it, and no secret is told', () => {
  const cases: [string, RegExp][] = [
    ['s3:my-bucket', /write s3:\/\//],
    ['s3://', /write s3:\/\//],
    ['s3://My_Bucket', /cannot be the name of a bucket/],
    ['s3://192.168.1.1', /cannot be the name of a bucket/],
    ['s3://key:sesame@bucket/p', /user or a password/],
    ['s3://key:ses/sesame@bucket/p', /write s3:\/\//],
    ['s3://key:ses?sesame@bucket/p', /write s3:\/\//],
    ['s3:key:sesame@bucket', /write s3:\/\//],
    ['s3://bucket?secret=sesame', /"secret" is no parameter/],
    ['s3://bucket?region=', /region is there twice or is empty/],
    ['s3://bucket?region=a&region=b', /twice/],
    ['s3://bucket?region=no%20region', /region/],
    ['s3://bucket?endpoint=ftp://x', /http:\/\/host:port/],
    ['s3://bucket?endpoint=https://x/path', /nothing behind it/],
    ['s3://bucket?pathStyle=yes', /neither true nor false/],
    ['s3://bucket?concurrency=0', /concurrency/],
    ['s3://bucket:9000/p', /endpoint=/],
    ['s3://bucket/a//b', /empty/],
    ['s3://bucket/a#b', /%23/],
    ['minio://127.0.0.1:9000', /name of a bucket/],
    ['minio://127.0.0.1:9000/bucket?endpoint=https://x', /"endpoint" is no parameter/],
  ];
  for (const [url, why] of cases) {
    assert.throws(
      () => parseBucketUrl(url),
      (error) => {
        assert.ok(isSteleError(error, 'config'), url);
        assert.match(error.message, why, url);
        assert.ok(!error.message.includes('sesame'), url);
        return true;
      },
    );
  }
});

test('credentials of a minio: store: the first complete pair of the environment', () => {
  assert.deepEqual(minioCredentials({ MINIO_ACCESS_KEY: 'a', MINIO_ROOT_USER: 'b', MINIO_ROOT_PASSWORD: 'c' }), {
    accessKeyId: 'b',
    secretAccessKey: 'c',
  });
  assert.deepEqual(minioCredentials({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' }), {
    accessKeyId: 'a',
    secretAccessKey: 'b',
    sessionToken: 'c',
  });
  assert.throws(
    () => minioCredentials({}),
    (error) => isSteleError(error, 'config') && /MINIO_ACCESS_KEY/.test(error.message),
  );
});

test('a bucket is made once, and found again', async () => {
  const url = stub.storeUrl('known/p').replace('/known/', '/made-here/');
  assert.equal(await ensureBucket(url), 'made');
  assert.equal(await ensureBucket(url), 'found');
  stub.misbehave({ do: 'refuse', kind: 'BUCKET', status: 404, code: 'NoSuchBucket', times: 1 });
  assert.equal(await ensureBucket(url), 'found', 'another one made it between the question and the answer');
  stub.misbehave({ do: 'refuse', kind: 'BUCKET', status: 404, code: 'NotFound', times: 1 });
  stub.misbehave({ do: 'refuse', kind: 'BUCKET', status: 409, code: 'BucketAlreadyExists', times: 1 });
  await assert.rejects(
    ensureBucket(url),
    (error) => isSteleError(error, 'config') && /taken by somebody else/.test(error.message),
  );
  stub.misbehave({ do: 'refuse', kind: 'BUCKET', status: 403, code: 'AccessDenied', times: 1 });
  await assert.rejects(ensureBucket(url), (error) => isSteleError(error, 'config'));
  stub.misbehave({ do: 'refuse', kind: 'BUCKET', status: 301, code: 'PermanentRedirect', times: 1 });
  await assert.rejects(
    ensureBucket(url),
    (error) => isSteleError(error, 'config') && /say region=/.test(error.message),
    'the answer to a HEAD has no body that would say it',
  );
});

test('public reading is of one prefix, does not touch other statements, and may be allowed twice', async () => {
  const url = stub.storeUrl('shared/public');
  const beside = stub.storeUrl('shared/private');
  assert.equal(await isPubliclyReadable(url), false);
  await allowPublicRead(url);
  await allowPublicRead(url);
  assert.equal(await isPubliclyReadable(url), true);
  assert.equal(await isPubliclyReadable(beside), false);
  await allowPublicRead(stub.storeUrl('shared/third'));
  assert.equal(await isPubliclyReadable(url), true, 'the first statement is still there');
  assert.deepEqual(stub.keys('shared'), [], 'the objects that were asked for are gone');

  const store = await openStore(url);
  await store.create('tile/0/000', new TextEncoder().encode('hashes'), { contentType: 'a/b', cacheControl: 'c' });
  const answer = await fetch(`${await publicUrl(url)}tile/0/000`);
  assert.deepEqual(
    [answer.status, answer.headers.get('content-type'), answer.headers.get('cache-control')],
    [200, 'a/b', 'c'],
  );
  assert.equal((await fetch(`${stub.endpoint}/shared?list-type=2`)).status, 403, 'nobody may list');
  await store.close();
});

test('a server that is busy has not said whether everyone can read', async () => {
  const url = stub.storeUrl('busy/private');
  for (const status of [429, 500, 503]) {
    stub.reset();
    stub.misbehave({ do: 'refuse', kind: 'GET', status });
    await assert.rejects(isPubliclyReadable(url), (error) => isSteleError(error, 'unreachable'));
    assert.deepEqual(stub.keys('busy'), []);
  }
});

test('a prefix that a policy would take for a pattern is not opened to everyone', async () => {
  for (const prefix of ['a*', 'a%3Fb', '$%7Baws:username%7D']) {
    const url = stub.storeUrl('patterns/p').replace(/p$/, prefix);
    await assert.rejects(
      allowPublicRead(url),
      (error) => isSteleError(error, 'config') && /patterns/.test(error.message),
    );
  }
});

test('where everyone finds the objects', async () => {
  for (const [url, wanted] of [
    ['s3://bucket/a b/c?region=eu-west-1', 'https://bucket.s3.eu-west-1.amazonaws.com/a%20b/c/'],
    ['s3://bucket?region=eu-west-1&pathStyle=true', 'https://s3.eu-west-1.amazonaws.com/bucket/'],
    ['s3://log.example?region=eu-west-1', 'https://s3.eu-west-1.amazonaws.com/log.example/'],
    ['s3://bucket/p?endpoint=https://s3.example', 'https://s3.example/bucket/p/'],
    ['s3://bucket/p?endpoint=https://s3.example&pathStyle=false', 'https://bucket.s3.example/p/'],
    ['minio://127.0.0.1:9000/bucket/p', 'http://127.0.0.1:9000/bucket/p/'],
  ] as const) {
    assert.equal(await publicUrl(url), wanted);
  }
});

test('listening where there are no events does nothing, and stops', () => {
  listenForObjects('file:///tmp', 'queue/', () => assert.fail('nothing happened')).stop();
  listenForObjects('s3://bucket', 'queue/', () => assert.fail('nothing happened')).stop();
  listenForObjects(stub.storeUrl('events'), 'queue/', () => assert.fail('nothing happened')).stop();
});
