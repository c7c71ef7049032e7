/** A log of 1.5 million entries in 500 rounds: full verification, and memory that does not grow with the log (GROW-2). */

import assert from 'node:assert/strict';
import test from 'node:test';
import { fsck } from '../../src/client/index.ts';
import { entriesFrom, newLog, openWriter, verifier } from '../sequencer/harness.ts';

const FIRST = 5;
const ROUNDS = 500;
const ROUND = 3_000;
/** The objects themselves are in memory, some 80 bytes an entry; what the writer adds must stay small beside them. */
const BYTES_PER_ENTRY = 400;

test(`${ROUNDS} rounds of ${ROUND} entries on top of ${FIRST} verify, and memory stays in proportion (GROW-2, LOAD-5)`, async (t) => {
  const log = await newLog();
  const writer = await openWriter(log, { dedupWindow: 10_000, maxUnpublishedEntries: 10_000 });
  await writer.add(entriesFrom(0, FIRST));
  for (let round = 0; round < ROUNDS; round++) await writer.add(entriesFrom(FIRST + round * ROUND, ROUND));
  const size = FIRST + ROUNDS * ROUND;
  assert.equal(writer.sequencer.published.size, size);
  const { rss } = process.memoryUsage();
  assert.ok(rss < 300e6 + size * BYTES_PER_ENTRY, `${Math.round(rss / 1e6)} MB resident`);
  const report = await fsck(log.publicStore, verifier);
  assert.deepEqual(report.problems, []);
  assert.equal(report.entries, size);
  t.diagnostic(`${size} entries, ${Math.round(rss / 1e6)} MB resident with the whole log in memory`);
});
