/** The S3 store on real servers: those that keep its promises, one that does not, and answers that are cut on the way. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { isSteleError } from '../../src/errors.ts';
import {
  allowPublicRead,
  ensureBucket,
  isPubliclyReadable,
  listenForObjects,
  type ObjectStore,
  openStore,
  probeStore,
} from '../../src/store/index.ts';
import { makeClient } from '../../src/store/s3-client.ts';
import { parseBucketUrl } from '../../src/store/s3-url.ts';
import { realPrograms, runProgram } from './real-programs.ts';
import {
  MINIO_CREDENTIALS,
  S3RVER_CREDENTIALS,
  setEnvironment,
  startMinio,
  startS3rver,
  startToxiproxy,
  startVersitygw,
  VERSITYGW_CREDENTIALS,
} from './servers.ts';

const LIMIT_MS = 120_000;
const CONFORMANCE = join(import.meta.dirname, '..', 'conformance.ts');
const META = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

async function freshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-stores-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function conformance(url: string): Promise<{ status: number | null; stdout: string }> {
  const { status, stdout, stderr } = await runProgram(process.execPath, [CONFORMANCE, url], LIMIT_MS);
  return { status, stdout: stdout + stderr };
}

/** Who may PUT into a queue chooses the keys: whatever they are, a list goes on, and shows what else is there. */
async function listBesideStrangeKeys(url: string): Promise<void> {
  const location = parseBucketUrl(url);
  const client = makeClient(location);
  for (const char of ['\x01', '\t', '\n', '\r', '\x7f', '\\', '\ufffe']) {
    const Key = `${location.prefix}strange/a${char}b`;
    await client.send(new PutObjectCommand({ Bucket: location.bucket, Key, Body: 'strange' }));
  }
  client.destroy();
  const store = await openStore(url);
  const wanted = ['strange/a b', 'strange/a%20b', 'strange/a&b', 'strange/a+b', 'strange/ab', 'strange/é😀'];
  for (const key of wanted) await store.create(key, new Uint8Array(1), META);
  const listed = new Set<string>();
  for await (const { key } of store.list('strange/')) listed.add(key);
  for (const key of wanted) assert.ok(listed.has(key), `${key} among ${JSON.stringify([...listed])}`);
  await store.close();
}

const host = (url: string): string => new URL(url).host;

test('MinIO keeps every promise, has events, and lets everyone read what it is told to', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  setEnvironment(t, MINIO_CREDENTIALS);
  await using server = await startMinio(programs.minio, await freshFolder(t));
  const url = `minio://${host(server.url)}/stele-test/some/prefix`;
  assert.equal(await ensureBucket(url), 'made');
  assert.equal(await ensureBucket(url), 'found');
  const { status, stdout } = await conformance(url);
  assert.equal(status, 0, stdout);
  await listBesideStrangeKeys(url);

  assert.equal(await isPubliclyReadable(url), false);
  await allowPublicRead(url);
  assert.equal(await isPubliclyReadable(url), true);
  assert.equal(await isPubliclyReadable(url.replace('/some/', '/other/')), false);

  const store = await openStore(url);
  let rang = false;
  const listening = listenForObjects(url, 'queue/', () => {
    rang = true;
  });
  for (let i = 0; i < 200 && !rang; i++) {
    await store.create(`queue/${i}`, new Uint8Array(1), META);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  listening.stop();
  assert.ok(rang, 'bucket events arrive, if late');
  await store.close();
});

test('versitygw keeps every promise, is told apart from MinIO, and lets everyone read what it is told to', async (t) => {
  const programs = realPrograms(t, 'versitygw');
  if (programs === undefined) return;
  setEnvironment(t, VERSITYGW_CREDENTIALS);
  await using server = await startVersitygw(programs.versitygw, await freshFolder(t));
  const url = `s3://stele-test/some/prefix?endpoint=${server.url.replace(/\/$/, '')}`;
  assert.equal(await ensureBucket(url), 'made');
  assert.equal(await ensureBucket(url), 'found');
  const { status, stdout } = await conformance(url);
  assert.equal(status, 0, stdout);
  await listBesideStrangeKeys(url);
  assert.equal(await isPubliclyReadable(url), false);
  await allowPublicRead(url);
  assert.equal(await isPubliclyReadable(url), true);
  // Its answer to whoever asks for events is an error page, at which the client of MinIO would end the process.
  setEnvironment(t, { MINIO_ACCESS_KEY: 'stele-test', MINIO_SECRET_KEY: 'stele-test-secret' });
  const listening = listenForObjects(`minio://${host(server.url)}/stele-test`, 'queue/', () => assert.fail('an event'));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  listening.stop();
});

test('s3rver ignores conditions: it is refused by the probe, and found out by the conformance suite', async (t) => {
  const programs = realPrograms(t, 's3rver');
  if (programs === undefined) return;
  setEnvironment(t, S3RVER_CREDENTIALS);
  await using server = await startS3rver(programs.s3rver, await freshFolder(t), 'stele-test');
  const url = `s3://stele-test/prefix?endpoint=${server.url.replace(/\/$/, '')}`;
  const store = await openStore(url);
  await assert.rejects(probeStore(store), (error) => {
    assert.ok(isSteleError(error, 'config'));
    assert.match(error.message, /of 32 concurrent creates of one object \(If-None-Match: \*\) exactly one wins/);
    return true;
  });
  await store.close();
  const { status, stdout } = await conformance(url);
  assert.equal(status, 1, stdout);
  assert.match(
    stdout,
    /breaks a promise that a log rests on: of 32 concurrent creates .* exactly one wins, and \d+ did/,
  );
});

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

async function textAt(store: ObjectStore, key: string): Promise<string | undefined> {
  const found = await store.get(key);
  return found && new TextDecoder().decode(found.bytes);
}

type Outcome = 'done' | 'lost' | 'unknown' | 'not done';

/** What a store says of a write. */
async function outcomeOf(write: Promise<unknown>): Promise<Outcome> {
  try {
    return (await write) === false ? 'lost' : 'done';
  } catch (error) {
    assert.ok(isSteleError(error, 'outcome-unknown', 'unreachable', 'precondition-failed'), String(error));
    if (error.code === 'precondition-failed') return 'lost';
    return error.code === 'unreachable' ? 'not done' : 'unknown';
  }
}

/** Creates an object on a line that is cut; what is said of it must be what is found on one that is not. */
async function createThrough(cut: ObjectStore, straight: ObjectStore, key: string, taken: boolean): Promise<Outcome> {
  if (taken) await straight.create(key, utf8('theirs'), META);
  const outcome = await outcomeOf(cut.create(key, utf8('ours'), META));
  const found = await textAt(straight, key);
  if (outcome === 'done') assert.equal(found, 'ours', key);
  if (outcome === 'lost') assert.equal(found, 'theirs', `${key}: only what is another's is called lost`);
  if (outcome === 'not done') assert.notEqual(found, 'ours', key);
  if (taken) assert.equal(found, 'theirs', key);
  return outcome;
}

/** The same of swaps, one in four of them of an old version, and of reads. */
async function swapThrough(
  cut: ObjectStore,
  straight: ObjectStore,
  key: string,
  outcomes: Record<Outcome, number>,
): Promise<void> {
  const old = await straight.replace(key, utf8('old'), META, null);
  let current = await straight.replace(key, utf8('first'), META, old);
  for (let i = 0; i < 40; i++) {
    const before = await textAt(straight, key);
    const isLate = i % 4 === 0;
    const outcome = await outcomeOf(cut.replace(key, utf8(`${i}`), META, isLate ? old : current));
    const found = await textAt(straight, key);
    assert.ok(found === before || (found === `${i}` && !isLate), `${key}: ${found} after ${before}`);
    if (outcome === 'done') assert.equal(found, `${i}`, key);
    if (outcome === 'lost' || outcome === 'not done') assert.equal(found, before, `${key}: ${outcome}`);
    if (outcome === 'lost') assert.ok(isLate, `${key}: a swap of the current version is never called lost`);
    outcomes[outcome] += 1;
    if (i % 8 === 0) {
      const read = await textAt(cut, key).catch(unlessUnreachable);
      assert.ok(read === 'unreachable' || read === found, `${key}: ${read}, and ${found} is there`);
    }
    current = (await straight.get(key))?.etag ?? '';
  }
}

function unlessUnreachable(error: unknown): 'unreachable' {
  if (isSteleError(error, 'unreachable')) return 'unreachable';
  throw error;
}

test('answers that are cut: what is called done was done, what is called lost was lost, the rest is unknown', async (t) => {
  const programs = realPrograms(t, 'minio', 'toxiproxy-server');
  if (programs === undefined) return;
  setEnvironment(t, MINIO_CREDENTIALS);
  await using server = await startMinio(programs.minio, await freshFolder(t));
  await using proxy = await startToxiproxy(programs['toxiproxy-server']);
  const port = await proxy.proxy('s3', server.url);
  const path = 'stele-test/prefix';
  await ensureBucket(`minio://${host(server.url)}/${path}`);
  const straight = await openStore(`minio://${host(server.url)}/${path}`);
  const cut = await openStore(`minio://127.0.0.1:${port}/${path}`);
  const toxics = [
    { type: 'limit_data', stream: 'downstream', toxicity: 1, attributes: { bytes: 1_500 } },
    { type: 'reset_peer', stream: 'downstream', toxicity: 1, attributes: { timeout: 20 } },
    { type: 'limit_data', stream: 'upstream', toxicity: 1, attributes: { bytes: 3_000 } },
  ] as const;
  const outcomes: Record<Outcome, number> = { done: 0, lost: 0, unknown: 0, 'not done': 0 };
  for (const [round, toxic] of toxics.entries()) {
    await proxy.toxic('s3', 'cut', toxic);
    for (let i = 0; i < 60; i++) {
      outcomes[await createThrough(cut, straight, `cut/${round}/${i}`, i % 5 === 0)] += 1;
    }
    await swapThrough(cut, straight, `swap/${round}`, outcomes);
    await proxy.toxic('s3', 'cut', undefined);
  }
  t.diagnostic(JSON.stringify(outcomes));
  assert.ok(outcomes.done > 0 && outcomes.lost > 0 && outcomes.unknown > 0, JSON.stringify(outcomes));

  await proxy.toxic('s3', 'cut', { ...toxics[0], attributes: { bytes: 4_000 } });
  const many = Array.from({ length: 300 }, (_, i) => ({ key: `many/${i}`, bytes: utf8(`${i}`), meta: META }));
  // Half written, it is called again, as its contract says.
  for (let attempt = 1; (await outcomeOf(cut.createAll(many))) !== 'done'; attempt++) assert.ok(attempt < 10);
  for (const { key, bytes } of many) assert.deepEqual((await straight.get(key))?.bytes, bytes);
  const listed: string[] = [];
  for await (const { key } of straight.list('many/')) listed.push(key);
  assert.equal(listed.length, many.length);
  await straight.close();
  await cut.close();
});
