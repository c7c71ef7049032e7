/** Requests to a bucket, counted by the server (DESIGN §5, "Cadence"): they are what an operator pays for. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { BucketQueue, BucketSubmitter } from '../../src/queue/index.ts';
import { BUCKET_SETTINGS, initLog, Sequencer } from '../../src/sequencer/index.ts';
import { openStore } from '../../src/store/index.ts';
import { type Asked, type S3Stub, startS3Stub } from '../store/s3-stub/index.ts';
import { entriesFrom, openWriter, random, signer, type TestLog, verifier, virtualClock } from './harness.ts';

let stub: S3Stub;
before(async () => {
  stub = await startS3Stub();
});
after(() => stub.close());

let logs = 0;
async function newBucketLog(): Promise<TestLog & { queueUrl: string; close(): Promise<void> }> {
  const name = `log-${logs++}`;
  const log = {
    publicStore: await openStore(stub.storeUrl(`${name}-public`)),
    privateStore: await openStore(stub.storeUrl(`${name}-private`)),
  };
  await initLog({ ...log, signer, verifier, random });
  return {
    ...log,
    queueUrl: stub.storeUrl(`${name}-private`),
    close: async () => {
      await log.publicStore.close();
      await log.privateStore.close();
    },
  };
}

/** `PUT journal`, `GET checkpoint`, … and how often. */
function tally(asked: readonly Asked[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind, key } of asked) {
    const what = `${kind} ${key.split('/')[0]}`;
    counts[what] = (counts[what] ?? 0) + 1;
  }
  return counts;
}

const GROWTHS = [
  { from: 5, to: 6, tiles: 2, puts: 4, why: 'inside one tile' },
  { from: 250, to: 260, tiles: 5, puts: 7, why: 'across one level-0 boundary' },
  { from: 65_530, to: 65_540, tiles: 6, puts: 8, why: 'across a level-1 boundary, one more' },
  { from: 256, to: 256 + 1_024, tiles: 9, puts: 11, why: 'four whole tiles: a bundle and a tile each, and one above' },
] as const;

for (const { from, to, tiles, puts, why } of GROWTHS) {
  test(`a publication from ${from} to ${to} costs ${puts} PUTs, one read and no list: ${why}`, async () => {
    const log = await newBucketLog();
    await (await openWriter(log)).add(entriesFrom(0, from));
    const writer = await openWriter(log);
    stub.reset();
    await writer.add(entriesFrom(from, to - from));
    const counts = tally(stub.asked);
    // What ended below is collected, after the answer: counted apart.
    const { 'DELETE journal': collected = 0, ...rest } = counts;
    assert.deepEqual(rest, { 'PUT journal': 1, 'GET checkpoint': 1, 'PUT tile': tiles, 'PUT checkpoint': 1 });
    assert.equal(stub.counts.PUT, puts);
    assert.ok(collected <= 1, `${collected} records collected`);
    await log.close();
  });
}

test('commits that one publication covers cost one PUT and one read each, and no list', async () => {
  const log = await newBucketLog();
  // The interval takes as long as eight commits need, and longer.
  const clock = virtualClock();
  const slow = {
    ...clock,
    sleep: (ms: number) => (ms < 1_000 ? clock.sleep(ms) : pause(1_000).then(() => clock.sleep(ms))),
  };
  const writer = await openWriter(log, { maxBatchEntries: 256, publishIntervalMs: 60_000 }, slow);
  await writer.add(entriesFrom(0, 1)); // the first publication waits for nothing, later ones for the interval
  stub.reset();
  await writer.add(entriesFrom(1, 256 * 8 - 1));
  const counts = tally(stub.asked);
  assert.deepEqual(counts['PUT journal'], 8);
  assert.deepEqual(counts['GET checkpoint'], 8);
  assert.deepEqual(counts['PUT checkpoint'], 1);
  assert.deepEqual(counts['PUT tile'], 8 + 8 + 1);
  assert.equal(stub.counts.LIST, 0);
  await log.close();
});

test('an idle log with an in-process queue asks for nothing; with a queue in the bucket, one list a poll', async () => {
  const log = await newBucketLog();
  const idle = await openWriter(log);
  await idle.add(entriesFrom(0, 3));
  stub.reset();
  const stop = new AbortController();
  const running = idle.sequencer.run(stop.signal);
  for (let i = 0; i < 200; i++) await idle.clock.sleep(60_000);
  assert.deepEqual(stub.asked, []);
  stop.abort();
  await running;

  const clock = virtualClock();
  let polls = 0;
  const queue = new BucketQueue(
    { store: await openStore(log.queueUrl), prefix: 'queue/' },
    {
      pollMs: 5_000,
      clock: {
        ...clock,
        async sleep(ms, signal) {
          if (ms === 5_000) {
            polls += 1;
            if (polls === 20) enough.abort();
          }
          await clock.sleep(ms);
          if (signal?.aborted) return;
        },
      },
    },
  );
  const enough = new AbortController();
  const sequencer = await Sequencer.open({ ...log, queue, signer, verifier, clock, random, settings: BUCKET_SETTINGS });
  stub.reset();
  await sequencer.run(enough.signal);
  const counts = tally(stub.asked);
  assert.deepEqual(Object.keys(counts), ['LIST queue'], JSON.stringify(counts));
  assert.ok(Math.abs((counts['LIST queue'] ?? 0) - polls) <= 1, `${counts['LIST queue']} lists for ${polls} polls`);
  await queue.close();
  await log.close();
});

test('an item of a bucket queue costs its submitter one PUT, the sequencer a read, a receipt and a delete', async () => {
  const log = await newBucketLog();
  const clock = virtualClock();
  const submitter = new BucketSubmitter({ store: await openStore(log.queueUrl), prefix: 'queue/' }, { clock });
  const queue = new BucketQueue({ store: await openStore(log.queueUrl), prefix: 'queue/' }, { clock });
  const sequencer = await Sequencer.open({ ...log, queue, signer, verifier, clock, random, settings: BUCKET_SETTINGS });
  await submitter.submit(entriesFrom(0, 1)); // the first answer is followed by a look for old receipts
  await sequencer.drain();
  await pause(100);
  stub.reset();
  await submitter.submit(entriesFrom(1, 10));
  assert.deepEqual(tally(stub.asked), { 'PUT queue': 1 });
  stub.reset();
  await sequencer.drain();
  const { 'DELETE journal': collected = 0, 'LIST queue': lists = 0, ...counts } = tally(stub.asked);
  assert.deepEqual(counts, {
    'GET queue': 1,
    'PUT journal': 1,
    'GET checkpoint': 1,
    'PUT tile': 2,
    'PUT checkpoint': 1,
    'PUT queue': 1,
    'DELETE queue': 1,
  });
  assert.ok(collected <= 1 && lists <= 2, `${collected} collected, ${lists} lists`);
  await submitter.close();
  await queue.close();
  await log.close();
});

/** Tiles: the edge of each level with its bundle, and the tiles of the window with those above them that are full. */
const STARTS = [
  { size: 1_000, tiles: 3 + 3 },
  { size: 66_000, tiles: 4 + 257 + 1 },
] as const;

for (const { size, tiles } of STARTS) {
  test(`a start on a log of ${size} entries reads ${tiles} tiles, which is what cron pays for each time`, async () => {
    const log = await newBucketLog();
    await (await openWriter(log)).add(entriesFrom(0, size));
    stub.reset();
    await openWriter(log);
    const edge = { 'GET log.json': 2, 'GET checkpoint': 2, 'LIST journal': 1, 'GET journal': 2 };
    assert.deepEqual(tally(stub.asked), { ...edge, 'GET tile': tiles });
    await log.close();
  });
}
