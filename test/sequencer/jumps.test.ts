/** The log goes on without a writer, further than its dedup window reaches: nothing is logged twice, and it catches up. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { entriesFrom, type Fault, faulty, indices, logged, newLog, once, openWriter } from './harness.ts';

/** A window that a rival's hundred entries jump beyond. */
const NARROW = { dedupWindow: 20, maxUnpublishedEntries: 20 } as const;

for (const [when, matches] of [
  ['waits for its publication', (operation: string) => operation === 'replace'],
  ['has not been seen to count', (operation: string, key: string) => operation === 'get' && key === 'checkpoint'],
] as const) {
  test(`what is committed and ${when}, when the log jumps beyond the dedup window, is not logged again`, async () => {
    const log = await newLog();
    let armed = false;
    const before = async (): Promise<void> => {
      const rival = await openWriter(log);
      await rival.add(entriesFrom(100, 100));
    };
    const plan = once((operation, key) => armed && matches(operation, key), { before });
    const writer = await openWriter({ ...log, publicStore: faulty(log.publicStore, plan) }, NARROW);
    armed = true;
    assert.deepEqual(indices(await writer.add(entriesFrom(0, 3))), [0, 1, 2]);
    assert.equal((await logged(log)).length, 103);
  });
}

test('an item of which a part is committed, when the log jumps beyond the dedup window, goes on behind that part', async () => {
  const log = await newLog();
  const fault: Fault = { before: async () => void (await (await openWriter(log)).add(entriesFrom(100, 100))) };
  const privateStore = faulty(
    log.privateStore,
    once((operation, key) => operation === 'create' && key.endsWith('5'), fault),
  );
  const writer = await openWriter({ ...log, privateStore }, { ...NARROW, maxBatchEntries: 5 });
  const other = writer.queue.submit(entriesFrom(50, 2));
  const told = indices(await writer.add(entriesFrom(0, 12)));
  const entries = await logged(log);
  assert.equal(entries.length, 114);
  assert.equal(new Set(entries).size, 114);
  assert.deepEqual(
    told.map((index) => entries[Number(index)]),
    entriesFrom(0, 12).map((entry) => new TextDecoder().decode(entry)),
  );
  assert.deepEqual(indices((await other).outcomes), [0, 1]);
});

test('a writer joins a log that is published more often than its dedup window can be read', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  await rival.add(entriesFrom(0, 2_000));
  let next = 2_000;
  const before = async (): Promise<void> => {
    for (let record = 0; record < 2; record++) await rival.add(entriesFrom(next++, 1));
  };
  // Records are published and collected by the time that a window has been read.
  const publicStore = faulty(log.publicStore, (operation, key) =>
    operation === 'get' && key === 'tile/0/003' ? { before } : undefined,
  );
  const writer = await openWriter({ ...log, publicStore });
  const reads = publicStore.calls.filter((call) => call === 'get tile/0/000').length;
  assert.equal(reads, 1, 'what has been read of it once is kept');
  assert.deepEqual(indices(await writer.add(entriesFrom(0, 1))), [0]);
  assert.deepEqual(indices(await writer.add(entriesFrom(next, 1))), [next]);
});
