/** A whole log on a bucket in trouble: slower, or later, but right, and nobody is left without an answer. */

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { createLog, generateKey, type Log, openLog, openStore } from 'stele';
import { fsck } from '../../src/client/index.ts';
import { systemClock } from '../../src/clock.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { collectPartials } from '../../src/sequencer/index.ts';
import { type Rule, startS3Stub } from './s3-stub/index.ts';

const stub = await startS3Stub({ pageSize: 100 });
beforeEach(() => stub.reset());
after(() => stub.close());

const { skey, vkey } = generateKey('log.example/troubled', new Uint8Array(32).fill(7));
const verifier = parseVerifierKey(vkey);
const entry = (i: number): Uint8Array => new TextEncoder().encode(`entry ${i}`);
let logs = 0;

interface Troubled {
  readonly publicUrl: string;
  open(): Promise<Log>;
}

async function newLog(): Promise<Troubled> {
  const name = `troubled-${logs++}`;
  const urls = { publicStore: stub.storeUrl(`${name}/public`), privateStore: stub.storeUrl(`${name}-private/log`) };
  const options = { ...urls, key: skey, settings: { publishIntervalMs: 10 } };
  await (await createLog(options)).close();
  return { publicUrl: urls.publicStore, open: () => openLog(options) };
}

/** Every object is right, and exactly these entries are there. */
async function assertWhole(publicUrl: string, size: number): Promise<void> {
  stub.reset();
  const store = await openStore(publicUrl);
  const report = await fsck(store, verifier);
  assert.deepEqual([report.problems, report.size], [[], size]);
  await store.close();
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

async function append(log: Log, from: number, to: number): Promise<number[]> {
  const answers = await Promise.all(range(from, to).map((i) => log.append(entry(i))));
  return answers.map(({ index }) => index);
}

test('every call slow, one in ten much slower: later, and no false failure (STORE-6)', async () => {
  const { publicUrl, open } = await newLog();
  const log = await open();
  for (let i = 0; i < 10; i++) stub.misbehave({ do: 'delay', ms: i === 0 ? 700 : 60, times: 6, skip: i });
  for (let at = 0; at < 60; at += 20) assert.deepEqual(await append(log, at, at + 20), range(at, at + 20));
  await log.close();
  await assertWhole(publicUrl, 60);
});

test('bursts of 500 and 503: retries are bounded and spread, and everybody is answered afterwards (STORE-8)', async () => {
  const { publicUrl, open } = await newLog();
  const log = await open();
  for (const rule of [
    { do: 'refuse', status: 503 },
    { do: 'refuse', status: 500, code: 'InternalError' },
    { do: 'lie-500' },
  ] satisfies Rule[]) {
    stub.reset();
    stub.misbehave(rule);
    const from = log.published.size;
    const answers = append(log, from, from + 10);
    await pause(1_500);
    const during = stub.asked.length;
    assert.ok(during > 0 && during < 60, `${during} requests in a second and a half of trouble`);
    stub.reset();
    assert.deepEqual(await answers, range(from, from + 10));
  }
  await log.close();
  await assertWhole(publicUrl, 30);
});

test('the answer to each write in turn is lost: whatever it was, it counts once (STORE-10)', async () => {
  const { publicUrl, open } = await newLog();
  let size = 0;
  for (let k = 0; k < 8; k++) {
    stub.reset();
    const log = await open();
    stub.misbehave({ do: 'drop-answer', kind: ['PUT', 'DELETE'], skip: k, times: 1 });
    assert.deepEqual(await append(log, size, size + 3), range(size, size + 3), `write ${k}`);
    size += 3;
    await log.close();
  }
  await assertWhole(publicUrl, size);
});

test('credentials that expire, and a clock that is said to be skewed, are sat out until they are renewed (STORE-14)', async () => {
  const { publicUrl, open } = await newLog();
  const log = await open();
  for (const code of ['ExpiredToken', 'RequestTimeTooSkewed']) {
    const from = log.published.size;
    stub.misbehave({ do: 'refuse', status: code === 'ExpiredToken' ? 400 : 403, code });
    const answers = append(log, from, from + 2);
    await pause(600);
    stub.reset();
    assert.deepEqual(await answers, range(from, from + 2), code);
  }
  await log.close();
  await assertWhole(publicUrl, 4);
});

test('hundreds of partials, in lists of many pages, and deletes that fail: none wedges a collection (STORE-12)', async () => {
  const { publicUrl, open } = await newLog();
  const log = await open();
  for (let i = 0; i < 150; i++) await log.append(entry(i));
  await append(log, 150, 300);
  await log.close();
  const store = await openStore(publicUrl);
  const request = { publicStore: store, verifier, clock: systemClock, graceMs: 0 };
  stub.misbehave({ do: 'refuse', status: 500, code: 'InternalError', kind: 'DELETE', skip: 40, times: 2 });
  const { deleted } = await collectPartials(request);
  assert.ok(deleted > 200, `${deleted} were deleted`);
  assert.equal((await collectPartials(request)).deleted, 0, 'nothing is left to collect');
  await store.close();
  await assertWhole(publicUrl, 300);
});
