import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import {
  encodeBundle,
  entriesOf,
  MAX_BUNDLE_SIZE,
  MAX_ENTRY_SIZE,
  parseBundle,
  parseRun,
} from '../../src/tiles/index.ts';
import { concat, fromBase64, readJson, toBase64 } from './model.ts';

interface BundleVectors {
  cases: { id: string; width: number; bundle: string; entries?: string[]; why?: string; expect: string }[];
}

const isMalformed = (error: unknown): boolean => isSteleError(error, 'malformed');

const entries = fc.array(
  fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 250, maxLength: 600 })),
  {
    maxLength: 256,
  },
);

test('every bundle of bundles.json is read as Go reads it, or refused as malformed (TILES-15)', () => {
  for (const { id, width, bundle, entries: expected, why, expect } of readJson<BundleVectors>('bundles.json').cases) {
    const bytes = fromBase64(bundle);
    if (expect === 'accept') {
      const parsed = entriesOf(parseRun(bytes, width));
      assert.deepEqual(parsed.map(toBase64), expected, id);
      assert.deepEqual(encodeBundle(parsed), bytes, id);
    } else assert.throws(() => parseBundle(bytes, width), isMalformed, `${id}: ${why}`);
  }
});

test('a bundle gives back its entries, and only for its own width (TILES-15)', () => {
  fc.assert(
    fc.property(entries, fc.nat(300), (original, width) => {
      const bytes = encodeBundle(original);
      assert.deepEqual(entriesOf(parseRun(bytes, original.length)), original);
      if (width !== original.length) assert.throws(() => parseBundle(bytes, width), isMalformed);
    }),
  );
});

test('a bundle cut anywhere, or with any byte behind it, is refused (TILES-15)', () => {
  const original = [new Uint8Array(), Uint8Array.of(0, 0), new Uint8Array(300).fill(1), new Uint8Array()];
  const bytes = encodeBundle(original);
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.throws(() => parseBundle(bytes.subarray(0, cut), original.length), isMalformed, `cut after ${cut}`);
  }
  for (let byte = 0; byte < 256; byte++) {
    assert.throws(() => parseBundle(concat([bytes, Uint8Array.of(byte)]), original.length), isMalformed);
  }
});

test('a refusal names the entry that does not fit (TILES-15)', () => {
  const bytes = encodeBundle([Uint8Array.of(1), Uint8Array.of(2, 3), Uint8Array.of(4)]);
  const refusal = (cut: number): string => {
    try {
      parseBundle(bytes.subarray(0, cut), 3);
    } catch (error) {
      if (error instanceof Error) return error.message;
    }
    return '';
  };
  assert.match(refusal(6), /entry 1 should end at byte 7$/);
  assert.match(refusal(8), /before the length of entry 2$/);
  assert.match(refusal(2), /too short to have that many$/);
});

test('any bytes are refused, or are the only encoding of what they are read as (FUZZ-3)', () => {
  const short = fc
    .array(fc.constantFrom(0, 0, 0, 1, 2, 3, 255), { maxLength: 60 })
    .map((bytes) => Uint8Array.from(bytes));
  fc.assert(
    fc.property(fc.oneof(short, fc.uint8Array({ maxLength: 400 })), fc.nat(30), (bytes, width) => {
      let spans: Uint32Array;
      try {
        spans = parseBundle(bytes, width);
      } catch (error) {
        assert.ok(isMalformed(error));
        return;
      }
      assert.equal(spans.length, 2 * width);
      assert.deepEqual(encodeBundle(entriesOf({ bytes, spans })), bytes);
    }),
    { numRuns: 5_000 },
  );
});

test('an absurd width is refused before memory is set aside for it (FUZZ-3)', () => {
  for (const width of [2 ** 31, 2 ** 40, 2 ** 53 - 1]) {
    assert.throws(() => parseBundle(new Uint8Array(1_000), width), isMalformed);
  }
});

test('the parser reads a bundle that lies anywhere inside a larger buffer (TILES-15)', () => {
  const bytes = encodeBundle([Uint8Array.of(7), Uint8Array.of(8, 9)]);
  const within = concat([Uint8Array.of(1, 2, 3), bytes, Uint8Array.of(4)]).subarray(3, 3 + bytes.length);
  assert.deepEqual(entriesOf(parseRun(within, 2)), [Uint8Array.of(7), Uint8Array.of(8, 9)]);
});

test('256 entries of 65,535 bytes are the longest bundle; an entry one byte longer is refused, by its place (TILES-15)', () => {
  const longest = new Uint8Array(MAX_ENTRY_SIZE);
  const bytes = encodeBundle(Array.from({ length: 256 }, () => longest));
  assert.equal(bytes.length, MAX_BUNDLE_SIZE);
  assert.equal(parseBundle(bytes, 256)[511], MAX_BUNDLE_SIZE);
  assert.throws(
    () => encodeBundle([longest, new Uint8Array(MAX_ENTRY_SIZE + 1)]),
    (error) => isSteleError(error, 'limit') && error.message.includes('entry 1 '),
  );
});

test('the same encoding carries no entries, and the 65,536 of the largest journal record', () => {
  assert.deepEqual(parseBundle(encodeBundle([]), 0), new Uint32Array());
  const many = Array.from({ length: 65_536 }, (_, i) => Uint8Array.of(i % 256));
  const bytes = encodeBundle(many);
  assert.deepEqual(entriesOf(parseRun(bytes, many.length)), many);
});
