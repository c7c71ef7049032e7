import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { SteleError } from '../../src/errors.ts';
import { encodeRecord, parseRecord, parseRecordKey, recordKey } from '../../src/sequencer/record.ts';

interface Case {
  readonly id: string;
  readonly key: string;
  readonly expect: 'accept' | 'reject';
  readonly why?: string;
  /** Of one that is accepted. */
  readonly version?: 1 | 2;
  readonly record: string;
  readonly parsed?: {
    baseSize: number;
    newSize: number;
    baseRoot: string;
    newRoot: string;
    freeze: boolean;
    entries: number;
  };
}
const vectors = JSON.parse(readFileSync(new URL('../../tiles-spec/vectors/journal.json', import.meta.url), 'utf8')) as {
  logId: string;
  nonce: string;
  cases: Case[];
};
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

for (const { id, key, expect, why, version, record, parsed } of vectors.cases) {
  test(`journal record vector ${id} is ${expect}ed${why ? `: ${why}` : ''}`, () => {
    const bytes = new Uint8Array(Buffer.from(record, 'base64'));
    if (expect === 'reject') {
      assert.throws(
        () => parseRecord(key, bytes),
        (error) => error instanceof SteleError && error.code === 'malformed' && error.message.includes(key),
      );
      return;
    }
    const found = parseRecord(key, bytes);
    assert.equal(recordKey(found.baseSize), key);
    assert.deepEqual(
      { ...parsed, logId: vectors.logId, nonce: vectors.nonce },
      {
        baseSize: found.baseSize,
        newSize: found.newSize,
        baseRoot: base64(found.baseRoot),
        newRoot: base64(found.newRoot),
        freeze: found.freeze,
        entries: found.entries.length,
        logId: base64(found.logId),
        nonce: base64(found.nonce),
      },
    );
    const again = encodeRecord(found, [found.entries]);
    // What was read of version 1 is written as version 2: only the first line and the SHA-256 differ.
    const compared = (all: Uint8Array): Uint8Array => (version === 2 ? all : all.subarray(16, -32));
    const same = compared(new Uint8Array(Buffer.concat(again)));
    assert.deepEqual(same, compared(bytes), 'encoding what was parsed gives the same bytes');
  });
}

for (const goodId of ['across-a-tile', 'two-behind-three-v1'])
  test(`a record (${goodId}) with any byte changed, or cut at any length, is refused and throws nothing else (FUZZ-3, DISK-4)`, () => {
    const good = vectors.cases.find(({ id }) => id === goodId);
    assert.ok(good);
    const bytes = new Uint8Array(Buffer.from(good.record, 'base64'));
    const refused = (mutant: Uint8Array): void => {
      assert.throws(
        () => parseRecord(good.key, mutant),
        (error) => error instanceof SteleError && error.code === 'malformed' && error.message.includes(good.key),
      );
    };
    for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        refused(bytes.map((byte, i) => (i === at ? byte ^ flip : byte)));
      }),
    );
  });

test('the keys of the journal sort as numbers do, and only canonical ones are read', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (a, b) => {
      assert.equal(parseRecordKey(recordKey(a)), a);
      assert.equal(recordKey(a) < recordKey(b), a < b);
    }),
  );
  for (const key of [
    'journal/1',
    'journal/00000000000000001',
    'journal/000000000000000x',
    'x/0000000000000001',
    'journal/9999999999999999',
  ]) {
    assert.equal(parseRecordKey(key), undefined, key);
  }
});
