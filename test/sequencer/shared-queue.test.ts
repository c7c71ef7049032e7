/** Several sequencers that serve one queue in a bucket: an entry has one index, whoever answers. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { BucketQueue, BucketSubmitter, readBucketReceipt } from '../../src/queue/index.ts';
import { DIRECTORY_SETTINGS, Sequencer, type SequencerSettings } from '../../src/sequencer/index.ts';
import {
  entriesFrom,
  faulty,
  indices,
  logged,
  newLog,
  once,
  openWriter,
  random,
  signer,
  type TestLog,
  texts,
  verifier,
  virtualClock,
} from './harness.ts';

/** A window that a rival's hundred entries jump beyond. */
const NARROW = { dedupWindow: 20, maxUnpublishedEntries: 20 } as const;

/** A sequencer on the queue in the private store, as several processes have it. */
async function onSharedQueue(
  log: TestLog,
  privateStore = log.privateStore,
  settings: Partial<SequencerSettings> = {},
): Promise<Sequencer> {
  const clock = virtualClock();
  const queue = new BucketQueue({ store: log.privateStore, prefix: 'queue/' }, { clock });
  const merged = { ...DIRECTORY_SETTINGS, publishIntervalMs: 0, maxAttempts: 5, ...settings };
  return Sequencer.open({ ...log, privateStore, queue, signer, verifier, clock, random, settings: merged });
}

async function receiptOf(log: TestLog, name: string): Promise<(number | string)[]> {
  const receipt = await readBucketReceipt({ store: log.privateStore, prefix: 'queue/' }, name);
  assert.ok(receipt, `${name} is answered`);
  return indices(receipt.outcomes);
}

test('items that another sequencer of the queue has answered, during a jump beyond the window, are not logged again', async () => {
  const log = await newLog();
  const submitter = new BucketSubmitter({ store: log.privateStore, prefix: 'queue/' }, { clock: virtualClock() });
  const names = [await submitter.submit(entriesFrom(0, 3)), await submitter.submit(entriesFrom(3, 3))].flat();
  const before = async (): Promise<void> => {
    const rival = await openWriter(log);
    await rival.add(entriesFrom(99, 1));
    await (await onSharedQueue(log)).drain();
    await rival.add(entriesFrom(100, 100));
  };
  const privateStore = faulty(
    log.privateStore,
    once((operation) => operation === 'create', { before }),
  );
  const late = await onSharedQueue(log, privateStore, NARROW);
  assert.equal((await late.drain()).appended, 0);
  assert.deepEqual(await logged(log), texts([...entriesFrom(99, 1), ...entriesFrom(0, 6), ...entriesFrom(100, 100)]));
  assert.deepEqual(await Promise.all(names.map((name) => receiptOf(log, name))), [
    [1, 2, 3],
    [4, 5, 6],
  ]);
});

test('three sequencers of one queue give every entry one index, whoever answers', async () => {
  const log = await newLog();
  const submitters = [0, 1].map(
    () => new BucketSubmitter({ store: log.privateStore, prefix: 'queue/' }, { clock: virtualClock() }),
  );
  const sequencers = await Promise.all(
    [7, 64, 300].map((maxBatchEntries) => onSharedQueue(log, log.privateStore, { maxBatchEntries })),
  );
  const submitted: { name: string; from: number }[] = [];
  for (let round = 0; round < 6; round++) {
    for (const [i, submitter] of submitters.entries()) {
      const from = round * 30 + i * 10;
      for (const name of await submitter.submit(entriesFrom(from, 40))) submitted.push({ name, from });
    }
    await Promise.all(sequencers.map((sequencer) => sequencer.drain()));
  }
  const entries = await logged(log);
  assert.equal(entries.length, 200);
  assert.equal(new Set(entries).size, 200);
  for (const { name, from } of submitted) {
    const told = (await receiptOf(log, name)).map((index) => entries[Number(index)]);
    assert.deepEqual(told, texts(entriesFrom(from, 40)));
  }
});
