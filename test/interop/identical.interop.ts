/** The log in a bucket is the log in a folder: every key, every byte, and the headers that readers are given. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MemoryQueue, QUEUE_LIMITS } from '../../src/queue/index.ts';
import { DIRECTORY_SETTINGS, initLog, Sequencer } from '../../src/sequencer/index.ts';
import { serveLog } from '../../src/server/index.ts';
import {
  allowPublicRead,
  directoryUrl,
  ensureBucket,
  type ObjectStore,
  openReadableStore,
  openStore,
  publicUrl,
} from '../../src/store/index.ts';
import { entriesFrom, signer, verifier, virtualClock } from '../sequencer/harness.ts';
import { realPrograms } from './real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio, startVersitygw, VERSITYGW_CREDENTIALS } from './servers.ts';

/** Sizes that are published: within a tile, at its end, over several, and over the boundary of level 1. */
const SIZES = [1, 5, 255, 256, 257, 1_000, 65_530, 65_540, 66_000] as const;
const IMMUTABLE = 'public, max-age=31536000, immutable';

/** One record for each size: which partial tiles there are depends on when something is published. */
const SETTINGS = { ...DIRECTORY_SETTINGS, maxBatchEntries: 65_536 };

/** The same sequence each time it is made. */
function seeded(): (length: number) => Uint8Array {
  let drawn = 0;
  return (length) => new Uint8Array(createHash('sha512').update(`draw ${drawn++}`).digest().subarray(0, length));
}

async function makeLog(urls: { publicStore: string; privateStore: string }): Promise<void> {
  const log = { publicStore: await openStore(urls.publicStore), privateStore: await openStore(urls.privateStore) };
  const random = seeded();
  await initLog({ ...log, signer, verifier, random });
  for (const [i, size] of SIZES.entries()) {
    // A new writer for each, as cron would have it; and none of them draws more than its records need.
    const clock = virtualClock();
    const queue = new MemoryQueue({ limits: QUEUE_LIMITS, clock });
    const sequencer = await Sequencer.open({
      ...log,
      queue,
      signer,
      verifier,
      clock,
      random,
      settings: SETTINGS,
    });
    const from = SIZES[i - 1] ?? 0;
    const answered = queue.submit(entriesFrom(from, size - from));
    assert.equal((await sequencer.drain()).size, size);
    await answered;
  }
  await log.publicStore.close();
  await log.privateStore.close();
}

async function contents(store: ObjectStore): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const { key, size } of store.list('')) {
    const object = await store.get(key);
    assert.equal(object?.bytes.length, size, key);
    found.set(
      key,
      createHash('sha256')
        .update(object?.bytes ?? '')
        .digest('hex'),
    );
  }
  return found;
}

async function checkIdentical(t: TestContext, inBucket: { publicStore: string; privateStore: string }): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-identical-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const inFolder = {
    publicStore: directoryUrl(join(folder, 'public')),
    privateStore: directoryUrl(join(folder, 'private')),
  };
  for (const url of Object.values(inBucket)) await ensureBucket(url);
  await allowPublicRead(inBucket.publicStore);
  await makeLog(inFolder);
  await makeLog(inBucket);

  let objects = new Map<string, string>();
  for (const which of ['publicStore', 'privateStore'] as const) {
    const [one, other] = [await openStore(inFolder[which]), await openStore(inBucket[which])];
    objects = await contents(one);
    const found = await contents(other);
    const differing = new Set(
      [...objects.keys(), ...found.keys()].filter((key) => objects.get(key) !== found.get(key)),
    );
    assert.deepEqual([...differing], [], 'keys that one of them lacks, or has other bytes at');
    await one.close();
    await other.close();
    if (which === 'publicStore') await checkHeaders(t, inFolder.publicStore, inBucket.publicStore, [...objects.keys()]);
  }
  assert.deepEqual(
    [...objects.keys()],
    ['journal/0000000000065540', 'log.json'],
    'the private store is as it should be',
  );
}

/** What anybody who GETs an object is told of it, by the bucket itself and by `stele serve` from the folder. */
async function checkHeaders(t: TestContext, folder: string, bucket: string, keys: readonly string[]): Promise<void> {
  assert.ok(keys.length > 500, `${keys.length} objects`);
  const store = openReadableStore(folder);
  const onError = (error: unknown): void => assert.fail(String(error));
  const server = await serveLog({ store, listen: { host: '127.0.0.1', port: 0 }, public: false, onError });
  t.after(() => server.close());
  const bases = [await publicUrl(bucket), server.url];
  const looked = keys.filter((key, i) => !/^tile\/(0|entries)\//.test(key) || key.includes('.p/') || i % 40 === 0);
  for (const key of looked) {
    const wanted = key.startsWith('tile/')
      ? ['application/octet-stream', IMMUTABLE]
      : [key === 'checkpoint' ? 'text/plain; charset=utf-8' : 'application/json', 'no-cache'];
    const bodies: Buffer[] = [];
    for (const base of bases) {
      const response = await fetch(base + key);
      assert.equal(response.status, 200, base + key);
      const { headers } = response;
      assert.deepEqual([headers.get('content-type'), headers.get('cache-control')], wanted, base + key);
      assert.equal(headers.get('content-encoding'), null, base + key);
      bodies.push(Buffer.from(await response.arrayBuffer()));
    }
    assert.ok(bodies[0]?.equals(bodies[1] ?? Buffer.alloc(0)), key);
  }
}

test('a log on MinIO is, byte for byte and header for header, the same log as in a folder', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  setEnvironment(t, MINIO_CREDENTIALS);
  const folder = await mkdtemp(join(tmpdir(), 'stele-minio-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await using server = await startMinio(programs.minio, folder);
  const { host } = new URL(server.url);
  await checkIdentical(t, {
    publicStore: `minio://${host}/public/a/log`,
    privateStore: `minio://${host}/private/a/log`,
  });
});

test('a log on versitygw is, byte for byte and header for header, the same log as in a folder', async (t) => {
  const programs = realPrograms(t, 'versitygw');
  if (programs === undefined) return;
  setEnvironment(t, VERSITYGW_CREDENTIALS);
  const folder = await mkdtemp(join(tmpdir(), 'stele-versitygw-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await using server = await startVersitygw(programs.versitygw, folder);
  const url = (bucket: string): string => `s3://${bucket}/a/log?endpoint=${server.url.replace(/\/$/, '')}`;
  await checkIdentical(t, { publicStore: url('public'), privateStore: url('private') });
});
