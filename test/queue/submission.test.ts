import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ErrorCode, isSteleError } from '../../src/errors.ts';
import {
  encodeReceipt,
  encodeSubmission,
  MAX_ITEM_BYTES,
  MAX_ITEM_ENTRIES,
  MAX_RECEIPT_BYTES,
  parseReceipt,
  parseSubmission,
  type Receipt,
  splitEntries,
  submissionId,
} from '../../src/queue/index.ts';
import { parseItemName } from '../../src/queue/item-names.ts';
import { entriesOf } from '../../src/tiles/index.ts';
import { bytesOf, vectors } from './vectors.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const refusesAs =
  (...codes: ErrorCode[]) =>
  (error: unknown): boolean =>
    isSteleError(error, ...codes);

for (const { id, what, expect, submission, entries, item } of vectors.submissions) {
  test(`submission ${id} gets the verdict of the vectors: ${what}`, () => {
    const bytes = bytesOf(submission);
    if (expect === 'refuse') return assert.throws(() => parseSubmission(bytes), refusesAs('malformed'));
    const expected = (entries ?? []).map(bytesOf);
    assert.deepEqual(entriesOf(parseSubmission(bytes)), expected);
    assert.deepEqual(encodeSubmission(expected), bytes);
    assert.equal(submissionId(bytes), item);
  });
}

for (const { id, what, expect, receipt, treeSize, outcomes } of vectors.receipts) {
  test(`receipt ${id} gets the verdict of the vectors: ${what}`, () => {
    const bytes = bytesOf(receipt);
    if (expect === 'refuse') return assert.throws(() => parseReceipt(bytes), refusesAs('malformed', 'limit'));
    const expected = { treeSize: treeSize ?? -1, outcomes: outcomes ?? [] };
    assert.deepEqual(parseReceipt(bytes), expected);
    assert.deepEqual(encodeReceipt(expected), bytes);
  });
}

for (const { id, what, expect, name } of vectors.names) {
  test(`item name ${id} gets the verdict of the vectors: ${what}`, () => {
    assert.equal(parseItemName(name) === undefined ? 'refuse' : 'accept', expect);
  });
}

test('a submission of mutated bytes is refused with a SteleError, or is the one encoding of its entries (FUZZ-3)', () => {
  const entry = fc.uint8Array({ maxLength: 40 });
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 8 }), mutation(), (entries, mutate) => {
      const bytes = mutate(encodeSubmission(entries));
      const parsed = parsedOrRefused(() => parseSubmission(bytes));
      if (parsed) assert.deepEqual(encodeSubmission(entriesOf(parsed)), bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('a receipt of mutated bytes is refused with a SteleError, or is the one encoding of its outcomes (FUZZ-3)', () => {
  fc.assert(
    fc.property(receipts(), mutation(), (receipt, mutate) => {
      const bytes = mutate(encodeReceipt(receipt));
      const parsed = parsedOrRefused(() => parseReceipt(bytes));
      if (parsed) assert.deepEqual(encodeReceipt(parsed), bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('bytes without any meaning are neither a submission nor a receipt (FUZZ-3)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(
        parsedOrRefused(() => parseSubmission(bytes)),
        undefined,
      );
      assert.equal(
        parsedOrRefused(() => parseReceipt(bytes)),
        undefined,
      );
    }),
  );
});

test('16 MiB that say anything are refused without a list of what they say (FUZZ-3)', () => {
  const claims = encodeSubmission([text('x')]);
  const long = new Uint8Array(MAX_ITEM_BYTES);
  long.set(claims);
  assert.throws(() => parseSubmission(long), refusesAs('malformed'));
  assert.throws(() => parseSubmission(new Uint8Array(MAX_ITEM_BYTES + 1)), refusesAs('limit'));

  const lines = new Uint8Array(MAX_RECEIPT_BYTES).fill(0x0a);
  lines.set(text('stele-receipt/v1\ntree 5\n'));
  assert.throws(() => parseReceipt(lines), refusesAs('limit'));
  assert.throws(() => parseReceipt(new Uint8Array(MAX_RECEIPT_BYTES + 1)), refusesAs('limit'));
});

test('an item takes 65,536 entries and not one more (LIMIT-1)', () => {
  const most = new Array<Uint8Array>(MAX_ITEM_ENTRIES).fill(new Uint8Array(0));
  assert.equal(parseSubmission(encodeSubmission(most)).length, MAX_ITEM_ENTRIES);
  assert.throws(() => encodeSubmission([...most, new Uint8Array(0)]), refusesAs('limit'));
  assert.throws(() => encodeSubmission([]), refusesAs('limit'));
});

test('an item takes 16 MiB and not one byte more (LIMIT-1)', () => {
  const entries = new Array<Uint8Array>(256).fill(new Uint8Array(65_535));
  const spare = MAX_ITEM_BYTES - encodeSubmission(entries.slice(1)).length - 2;
  const full = [...entries.slice(1), new Uint8Array(spare)];
  assert.equal(encodeSubmission(full).length, MAX_ITEM_BYTES);
  assert.equal(parseSubmission(encodeSubmission(full)).length, full.length);
  assert.throws(() => encodeSubmission([...entries.slice(1), new Uint8Array(spare + 1)]), refusesAs('limit'));
});

test('entries of 0, 1 and 65,535 bytes are encoded, one of 65,536 is refused by its place (LIMIT-1)', () => {
  const entries = [0, 1, 65_535].map((size) => new Uint8Array(size).fill(7));
  assert.deepEqual(entriesOf(parseSubmission(encodeSubmission(entries))), entries);
  assert.throws(() => splitEntries([...entries, new Uint8Array(65_536)]), /entry 3 has 65536 bytes/);
  assert.throws(() => encodeSubmission([new Uint8Array(65_536)]), refusesAs('limit'));
});

test('splitting keeps every entry in order, within the limits, in as few items as that takes', () => {
  assert.deepEqual(splitEntries([]), []);
  const many = new Array<Uint8Array>(2 * MAX_ITEM_ENTRIES + 1).fill(text('x'));
  assert.deepEqual(
    splitEntries(many).map((run) => run.length),
    [MAX_ITEM_ENTRIES, MAX_ITEM_ENTRIES, 1],
  );
  const large = new Uint8Array(65_535);
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 65_535 }), { maxLength: 700 }), (sizes) => {
      const entries = sizes.map((size) => large.subarray(0, size));
      const runs = splitEntries(entries);
      assert.deepEqual(
        runs.flat().map((entry) => entry.length),
        sizes,
      );
      for (const [i, run] of runs.entries()) {
        const bytes = encodeSubmission(run).length;
        const next = runs[i + 1]?.[0];
        if (next) assert.ok(bytes + 2 + next.length > MAX_ITEM_BYTES, 'the next entry would have fitted');
      }
    }),
    { numRuns: 20 },
  );
});

test('a receipt of 65,536 of the longest refusals can be read back', () => {
  const refused = '"\\'.repeat(500);
  const outcomes = new Array<Receipt['outcomes'][number]>(MAX_ITEM_ENTRIES).fill({ refused });
  const parsed = parseReceipt(encodeReceipt({ outcomes, treeSize: 0 }));
  assert.equal(parsed.outcomes.length, MAX_ITEM_ENTRIES);
  assert.deepEqual(parsed.outcomes[0], { refused: refused.slice(0, 240) });
});

test('a reason that quotes somebody else’s bytes reaches the reader as printable text', () => {
  const receipt = { outcomes: [{ refused: 'bad \u001b[31m\n“name”' }, { refused: '' }], treeSize: 0 };
  const parsed = parseReceipt(encodeReceipt(receipt));
  assert.deepEqual(parsed.outcomes, [{ refused: 'bad ?[31m??name?' }, { refused: 'no reason given' }]);
});

function receipts(): fc.Arbitrary<Receipt> {
  const outcome = fc.oneof(
    fc.record({ index: fc.nat({ max: 1e6 }), duplicate: fc.boolean() }),
    fc.record({ refused: fc.string({ maxLength: 30 }) }),
  );
  return fc.record({ treeSize: fc.constantFrom(1e6 + 1, 2 ** 53 - 1), outcomes: fc.array(outcome, { minLength: 1 }) });
}

/** Cuts, repeats, flips or inserts somewhere; sometimes nothing. */
function mutation(): fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> {
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  return fc
    .array(fc.tuple(fc.nat({ max: 4 }), place, fc.nat({ max: 255 })), { maxLength: 3 })
    .map((steps) => (bytes) => {
      let mutated = Array.from(bytes);
      for (const [kind, where, value] of steps) {
        const at = Math.floor(where * mutated.length);
        if (kind === 0) mutated = mutated.slice(0, at);
        if (kind === 1) mutated.splice(at, 1);
        if (kind === 2) mutated.splice(at, 0, value);
        if (kind === 3 && at < mutated.length) mutated[at] = value;
        if (kind === 4) mutated.push(...mutated.slice(at));
      }
      return Uint8Array.from(mutated);
    });
}

/** What was parsed, or undefined for a refusal; any other throw fails the test. */
function parsedOrRefused<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    assert.ok(isSteleError(error, 'malformed', 'limit'), String(error));
    return undefined;
  }
}
