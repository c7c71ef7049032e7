/**
 * What changes while older entries are asked for: the window goes on, and may let go of entries that were not looked
 * through when the question was asked (found by a simulation with many seeds); or a cache finds itself damaged.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OlderEntries } from '../../src/sequencer/index.ts';
import { entriesFrom, faulty, indices, newLog, once, openWriter, virtualClock } from './harness.ts';

const WINDOW = 8;
const SETTINGS = { dedupWindow: WINDOW, maxUnpublishedEntries: WINDOW, maxBatchEntries: 4 };

/** Knows older entries once `passOn` has let them pass. */
function slowOlder(passOn: () => Promise<void>): OlderEntries {
  const known = new Map<string, number>();
  let covered = 0;
  const nameOf = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');
  return {
    get covered() {
      return covered;
    },
    find: (hash) => known.get(nameOf(hash)),
    async add(first, hashes) {
      const copy = hashes.slice();
      await passOn();
      for (let at = 0; at < copy.length; at += 32) known.set(nameOf(copy.subarray(at, at + 32)), first + at / 32);
      covered = first + copy.length / 32;
    },
    forget() {
      known.clear();
      covered = 0;
    },
  };
}

test('an entry that leaves the window while older ones are confirmed keeps its index (DEDUP)', async () => {
  const log = await newLog();
  const passing = Promise.withResolvers<void>();
  const publishing = Promise.withResolvers<void>();
  const hasPublished = Promise.withResolvers<void>();
  const isCommitted = Promise.withResolvers<void>();
  let isHeld = false;
  const older = slowOlder(() => (isHeld ? passing.promise : Promise.resolve()));
  const confirmation = once((operation, key) => isHeld && operation === 'get' && key === 'tile/0/000', {
    before: async () => {
      passing.resolve(); // the window need no longer keep them ...
      publishing.resolve();
      await hasPublished.promise; // ... and lets go of them
    },
  });
  const publication = once((operation, key) => isHeld && operation === 'replace' && key === 'checkpoint', {
    before: () => publishing.promise,
  });
  const publicStore = faulty(log.publicStore, (...asked) => confirmation(...asked) ?? publication(...asked));
  const { sequencer, queue } = await openWriter({ ...log, publicStore }, SETTINGS, virtualClock(), {
    older,
    onCommitted: () => {
      if (isHeld) isCommitted.resolve();
    },
    onPublished: () => {
      if (isHeld) hasPublished.resolve();
    },
  });
  const stop = new AbortController();
  const running = sequencer.run(stop.signal, 'queued');
  let size = 0;
  for (; size < 400 || size - older.covered < 2 * WINDOW; size += 4) await queue.submit(entriesFrom(size, 4));

  isHeld = true;
  const leaving = older.covered; // the first that is still in the window alone
  const fresh = queue.submit(entriesFrom(size, 4));
  await isCommitted.promise;
  const again = queue.submit([...entriesFrom(0, 1), ...entriesFrom(leaving, 1)]);
  const { outcomes } = await again;
  assert.deepEqual(indices(outcomes), [0, leaving]);
  await fresh;
  stop.abort();
  await running;
});

test('an entry that a damaged cache forgot while it was asked keeps its index (CORRUPT-10)', async () => {
  const older = slowOlder(async () => {});
  let isDamaged = false;
  const damaged: OlderEntries = {
    get covered() {
      return older.covered;
    },
    find(hash) {
      if (isDamaged) older.forget();
      isDamaged = false;
      return older.find(hash);
    },
    add: (first, hashes) => older.add(first, hashes),
    forget: () => older.forget(),
  };
  const log = await newLog();
  const writer = await openWriter(log, SETTINGS, virtualClock(), { older: damaged });
  const add = async (from: number, count: number): Promise<(number | string)[]> =>
    indices(await writer.add(entriesFrom(from, count)));
  for (let at = 0; at < 60; at += 4) await add(at, 4);
  assert.ok(older.covered > 10);
  isDamaged = true;
  assert.deepEqual(await add(7, 2), [7, 8]);
  assert.deepEqual(await add(9, 1), [9], 'it was learned again');
});
