/** Runs of entries: cut and joined, they have the entries and the bytes of a bundle. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashLeaves } from '../../src/merkle/index.ts';
import {
  type EntryRun,
  encodeBundle,
  encodeRun,
  entriesOf,
  joinRuns,
  parseRun,
  sizeOf,
  sliceRun,
} from '../../src/tiles/index.ts';

const entries = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 12 });
const hashed = (run: EntryRun): EntryRun => ({ ...run, hashes: hashLeaves(run.bytes, run.spans) });

function assertIs(run: EntryRun, expected: readonly Uint8Array[]): void {
  assert.deepEqual(entriesOf(run), expected);
  assert.deepEqual(run.bytes, encodeBundle(expected));
  assert.equal(run.length, expected.length);
  assert.equal(
    sizeOf(run),
    expected.reduce((sum, entry) => sum + entry.length, 0),
  );
  if (run.hashes !== undefined) assert.deepEqual(run.hashes, hashLeaves(run.bytes, run.spans));
}

test('encoded, and parsed again, a run has its entries', () => {
  fc.assert(
    fc.property(entries, (some) => {
      assertIs(encodeRun(some), some);
      assertIs(parseRun(encodeBundle(some), some.length), some);
    }),
  );
});

test('any slice has the entries from one place to the other, with their hashes where these are known', () => {
  fc.assert(
    fc.property(entries, fc.nat(12), fc.nat(12), fc.boolean(), (some, a, b, withHashes) => {
      const [from = 0, to = 0] = [a, b].map((at) => Math.min(at, some.length)).sort((x, y) => x - y);
      const run = encodeRun(some);
      const slice = sliceRun(withHashes ? hashed(run) : run, from, to);
      assertIs(slice, some.slice(from, to));
      assert.equal(slice.hashes !== undefined, withHashes);
    }),
  );
});

test('joined, runs have the entries of all; hashes only where all have them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(entries, fc.boolean()), { maxLength: 5 }), (some) => {
      const joined = joinRuns(
        some.map(([part, withHashes]) => (withHashes ? hashed(encodeRun(part)) : encodeRun(part))),
      );
      assertIs(
        joined,
        some.flatMap(([part]) => part),
      );
      assert.equal(
        joined.hashes !== undefined,
        some.every(([, withHashes]) => withHashes),
      );
    }),
  );
});
