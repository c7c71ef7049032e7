/** A bucket that misbehaves: what is reported is what is known, and nothing that may have happened is called a failure. */

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { DeniedError, isSteleError, type SteleError } from '../../src/errors.ts';
import { type ObjectStore, openStore } from '../../src/store/index.ts';
import { startS3Stub } from './s3-stub/index.ts';

const META = { contentType: 'application/octet-stream', cacheControl: 'no-store' };
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);

const stub = await startS3Stub();
let sleeps: number[] = [];
const clock = {
  now: () => 0,
  async sleep(ms: number) {
    sleeps.push(ms);
  },
};
const open = (requestTimeoutMs = 2_000): Promise<ObjectStore> =>
  openStore(stub.storeUrl('bucket/some/prefix'), {
    requestTimeoutMs,
    retries: { clock, random: () => 0.5, attempts: 4 },
  });
const store = await open();
let keys = 0;
const freshKey = (): string => `key-${keys++}`;

beforeEach(() => {
  stub.reset();
  sleeps = [];
});
after(async () => {
  await store.close();
  await stub.close();
});

const code = (wanted: string) => (error: unknown) => isSteleError(error) && error.code === wanted;

test('a create whose answer is lost is unknown, is sent once, and the object is there (STORE-10)', async () => {
  for (const deed of ['drop-answer', 'lie-500'] as const) {
    const key = freshKey();
    stub.reset();
    stub.misbehave({ do: deed, kind: 'PUT', times: 1 });
    await assert.rejects(store.create(key, utf8('ours'), META), code('outcome-unknown'));
    assert.equal(stub.counts.PUT, 1, 'a conditional write is never sent again by itself');
    assert.equal(text((await store.get(key))?.bytes), 'ours');
    assert.equal(await store.create(key, utf8('ours'), META), false);
  }
});

test('a create that gets no answer in time is unknown', async () => {
  const impatient = await open(150);
  stub.misbehave({ do: 'delay-answer', ms: 400, kind: 'PUT', times: 1 });
  const key = freshKey();
  await assert.rejects(impatient.create(key, utf8('ours'), META), code('outcome-unknown'));
  assert.equal(text((await store.get(key))?.bytes), 'ours');
  await impatient.close();
});

test('a create that is cut off before it arrives is unknown as well: nobody can tell', async () => {
  stub.misbehave({ do: 'cut-request', kind: 'PUT', times: 1 });
  const key = freshKey();
  await assert.rejects(store.create(key, utf8('ours'), META), code('outcome-unknown'));
  assert.equal(await store.get(key), undefined);
});

test('503 SlowDown says that nobody knows, with the wait that was asked for', async () => {
  stub.misbehave({ do: 'refuse', kind: 'PUT', retryAfterS: 7, times: 1 });
  await assert.rejects(store.create(freshKey(), utf8('x'), META), (error: unknown) => {
    assert.ok(isSteleError(error, 'outcome-unknown'));
    assert.equal((error as SteleError & { retryAfterMs: number }).retryAfterMs, 7_000);
    return true;
  });
});

test('a create that is refused for another reason was not done: config for our fault, unreachable for theirs', async () => {
  const cases = [
    { status: 403, code: 'AccessDenied', wanted: 'config' },
    { status: 301, code: 'PermanentRedirect', wanted: 'config' },
    { status: 404, code: 'NoSuchBucket', wanted: 'config' },
    { status: 400, code: 'RequestTimeout', wanted: 'unreachable' },
    { status: 429, code: 'TooManyRequests', wanted: 'unreachable' },
  ];
  for (const { status, code: name, wanted } of cases) {
    stub.reset();
    stub.misbehave({ do: 'refuse', status, code: name, kind: 'PUT' });
    await assert.rejects(store.create(freshKey(), utf8('x'), META), code(wanted), name);
  }
});

test('a denial that passes, as of MinIO while a folder is removed, is sat out; one that stays is told, as is one of AWS', async () => {
  const denial = { do: 'refuse', status: 403, code: 'AccessDenied', kind: 'PUT' } as const;
  const key = freshKey();
  stub.misbehave({ ...denial, times: 2 });
  assert.equal(await store.create(key, utf8('ours'), META), true);
  assert.deepEqual(sleeps, [75, 150]);
  stub.misbehave({ ...denial, times: 1 });
  assert.equal(await store.create(key, utf8('ours'), META), false, 'it was lost, whatever came before');
  stub.reset();
  stub.misbehave(denial);
  await assert.rejects(store.create(freshKey(), utf8('x'), META), DeniedError);
  assert.equal(stub.counts.PUT, 3);
  stub.reset();
  stub.misbehave({ ...denial, code: 'InvalidAccessKeyId' });
  await assert.rejects(store.create(freshKey(), utf8('x'), META), DeniedError);
  assert.equal(stub.counts.PUT, 1, 'wrong credentials stay wrong');
});

test('what was read without a version is not replaced: an empty condition is none (STORE-5)', async () => {
  const key = freshKey();
  await store.create(key, utf8('theirs'), META);
  stub.reset();
  await assert.rejects(store.replace(key, utf8('ours'), META, ''), code('config'));
  assert.equal(stub.counts.PUT, 0);
});

test('nobody listens: unreachable, and nothing was written', async () => {
  const gone = await openStore('minio://127.0.0.1:1/bucket');
  await assert.rejects(gone.create('key', utf8('x'), META), code('unreachable'));
  await gone.close();
});

test('a create that lost is false, also where 304 says so; 409 is neither, and the key tells (STORE-3)', async () => {
  const key = freshKey();
  stub.misbehave({ do: 'refuse', status: 409, code: 'ConditionalRequestConflict', kind: 'PUT', times: 2 });
  assert.equal(await store.create(key, utf8('ours'), META), true, 'nothing is there: tried again');
  assert.equal(stub.counts.PUT, 3);
  stub.misbehave({ do: 'refuse', status: 409, code: 'ConditionalRequestConflict', kind: 'PUT', times: 1 });
  assert.equal(await store.create(key, utf8('another'), META), false, 'another object is there');
  stub.misbehave({ do: 'refuse', status: 304, code: 'NotModified', kind: 'PUT', times: 1 });
  assert.equal(await store.create(key, utf8('another'), META), false, '304 is a lost race');
  stub.misbehave({ do: 'refuse', status: 409, code: 'ConditionalRequestConflict', kind: 'PUT', times: 1 });
  await assert.rejects(store.create(key, utf8('ours'), META), code('outcome-unknown'), 'ours is there, by whomever');
});

test('a swap: won, lost, lost on what is absent, unknown, and unknown where our bytes are found', async () => {
  const key = freshKey();
  const first = await store.replace(key, utf8('1'), META, null);
  const second = await store.replace(key, utf8('2'), META, first);
  await assert.rejects(store.replace(key, utf8('3'), META, first), code('precondition-failed'));
  await assert.rejects(store.replace(freshKey(), utf8('3'), META, first), code('precondition-failed'));
  stub.misbehave({ do: 'drop-answer', kind: 'PUT', times: 1 });
  await assert.rejects(store.replace(key, utf8('3'), META, second), code('outcome-unknown'));
  // What a proxy that sends a request twice makes of a swap that was done: 412, and our bytes are there.
  await assert.rejects(store.replace(key, utf8('3'), META, second), code('outcome-unknown'));
  assert.equal(text((await store.get(key))?.bytes), '3');
});

test('createAll: lost answers, SlowDown, and what is there already with equal bytes are settled; other bytes conflict (STORE-4, RACE-6, RACE-7)', async () => {
  const objects = Array.from({ length: 40 }, (_, i) => ({ key: `${freshKey()}/all`, bytes: utf8(`${i}`), meta: META }));
  stub.misbehave({ do: 'drop-answer', kind: 'PUT', times: 3 });
  stub.misbehave({ do: 'refuse', kind: 'PUT', times: 3, retryAfterS: 2 });
  await store.createAll(objects);
  for (const { key, bytes } of objects) assert.deepEqual((await store.get(key))?.bytes, bytes);
  assert.ok(sleeps.includes(2_000), `the wait that was asked for is kept: ${sleeps}`);
  const [first] = objects;
  assert.ok(first);
  await assert.rejects(store.createAll([{ ...first, bytes: utf8('other') }]), (error: unknown) => {
    return isSteleError(error, 'conflict') && error.message.includes(first.key);
  });
});

test('reads are tried again, a few times and with growing waits, and are never half of an object', async () => {
  const key = freshKey();
  await store.create(key, utf8('a whole object'), META);
  for (const rule of [
    { do: 'refuse', times: 2 },
    { do: 'cut-request', times: 2 },
    { do: 'cut-body', times: 2 },
  ] as const) {
    stub.reset();
    sleeps = [];
    stub.misbehave({ ...rule, kind: 'GET' });
    assert.equal(text((await store.get(key))?.bytes), 'a whole object', rule.do);
    assert.equal(stub.counts.GET, 3, rule.do);
    assert.deepEqual(sleeps, [75, 150], rule.do);
  }
  stub.reset();
  stub.misbehave({ do: 'refuse', kind: 'GET' });
  await assert.rejects(store.get(key), code('unreachable'));
  assert.equal(stub.counts.GET, 4);
});

test('a server that asks for a long wait is left alone, and its wish passed on', async () => {
  stub.misbehave({ do: 'refuse', kind: 'GET', retryAfterS: 60 });
  await assert.rejects(store.get('key'), (error: unknown) => {
    return isSteleError(error, 'unreachable') && (error as { retryAfterMs?: number }).retryAfterMs === 60_000;
  });
  assert.equal(stub.counts.GET, 1);
});

test('lists are paged, tried again, and below the prefix only', async () => {
  const small = await startS3Stub({ pageSize: 7 });
  const paged = await openStore(small.storeUrl('bucket/pre'), { retries: { clock, random: () => 0, attempts: 3 } });
  const beside = await openStore(small.storeUrl('bucket/prefix'));
  await beside.create('list/stranger', utf8('x'), META);
  const wanted = Array.from({ length: 50 }, (_, i) => `list/${String(i).padStart(3, '0')}`);
  await paged.createAll(wanted.map((key) => ({ key, bytes: utf8(key), meta: META })));
  small.reset();
  small.misbehave({ do: 'refuse', kind: 'LIST', times: 2, skip: 3 });
  const listed: string[] = [];
  for await (const { key, size } of paged.list('list/')) listed.push(`${key} ${size}`);
  assert.deepEqual(
    listed,
    wanted.map((key) => `${key} 8`),
  );
  assert.equal(small.counts.LIST, 8 + 2);
  await paged.close();
  await beside.close();
  await small.close();
});

test('keys that whoever may write chose do not stop a list, however the server spells them', async () => {
  const own = await startS3Stub();
  const listing = await openStore(own.storeUrl('bucket/in'));
  const headers = { authorization: `${process.env['MINIO_ACCESS_KEY']}/` };
  const strange = ['\x01', '\t', '\n', '\r', '\x7f', '\\', '\ufffd'].map((char) => `a${char}b`);
  for (const key of ['', ...strange, 'a//b', '../c', 'folder/']) {
    const put = await fetch(`${own.endpoint}/bucket/in/${encodeURIComponent(key)}`, { method: 'PUT', headers });
    assert.ok(put.ok, key);
  }
  const wanted = ['a b', 'a%20b', 'a&b<c>"d\'', 'a+b', 'ab', 'é😀'];
  for (const key of wanted) await listing.create(key, utf8(key), META);
  for (const plain of [false, true]) {
    if (plain) own.misbehave({ do: 'plain-list' });
    const listed: string[] = [];
    for await (const { key } of listing.list('')) listed.push(key);
    assert.deepEqual(listed, wanted, plain ? 'as versitygw lists' : 'as AWS and MinIO list');
  }
  await listing.close();
  await own.close();
});

test('connections are bounded and used again, whatever is asked at once (STORE-15)', async () => {
  const own = await startS3Stub();
  const few = await openStore(`${own.storeUrl('bucket/few')}?concurrency=4`);
  await few.createAll(Array.from({ length: 100 }, (_, i) => ({ key: `few/${i}`, bytes: utf8(`${i}`), meta: META })));
  await Promise.all(Array.from({ length: 100 }, (_, i) => few.get(`few/${i}`)));
  assert.ok(own.connections > 4 && own.connections <= 4 + 32, `${own.connections} connections`);
  await few.close();
  await own.close();
});

test('headers are stored, keys are below the prefix, and the URL tells no secret', async () => {
  const key = freshKey();
  await store.create(key, utf8('x'), { contentType: 'text/plain', cacheControl: 'public, max-age=5' });
  assert.ok(stub.keys('bucket').includes(`some/prefix/${key}`));
  assert.equal(store.url, `${stub.endpoint.replace('http:', 'minio:')}/bucket/some/prefix`);
});

test('a key that the server does not know is refused as such, and is in no message', async () => {
  const { MINIO_ACCESS_KEY, MINIO_SECRET_KEY } = process.env;
  Object.assign(process.env, { MINIO_ACCESS_KEY: 'stranger', MINIO_SECRET_KEY: 'a very secret word' });
  const stranger = await openStore(stub.storeUrl('bucket'));
  Object.assign(process.env, { MINIO_ACCESS_KEY, MINIO_SECRET_KEY });
  for (const ask of [() => stranger.get('key'), () => stranger.create('key', utf8('x'), META)]) {
    await assert.rejects(ask, (error: unknown) => {
      assert.ok(error instanceof DeniedError && error.code === 'config');
      assert.ok(!error.message.includes('secret word'));
      return true;
    });
  }
  await stranger.close();
});

test('a get that its caller gives up is aborted, also between tries', async () => {
  const abort = new AbortController();
  stub.misbehave({ do: 'delay', ms: 5_000, kind: 'GET' });
  const getting = store.get('key', { signal: abort.signal });
  abort.abort();
  await assert.rejects(getting, code('aborted'));
});
