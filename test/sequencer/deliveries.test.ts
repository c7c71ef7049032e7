/** What waits for a batch: cut, given back and advanced, it stays in order, and its sums are what it has. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { Deliveries, delivery, type Part } from '../../src/sequencer/deliveries.ts';
import { encodeRun, entriesOf, sliceRun } from '../../src/tiles/index.ts';

const textsOf = ({ delivery: from, from: start, to }: Part): string[] =>
  entriesOf(sliceRun(from.item.entries, start, to)).map(String);

test('whatever is added, taken, given back and advanced: the entries are in order, and the sums are theirs', () => {
  const command = fc.oneof(
    fc.record({ add: fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }) }),
    fc.record({ take: fc.integer({ min: 1, max: 25 }), bytes: fc.integer({ min: 40, max: 400 }) }),
    fc.record({ giveBack: fc.constant(true) }),
    fc.record({ advance: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 40 }), (commands) => {
      const waiting = new Deliveries();
      let expected: string[] = [];
      let taken: Part[] = [];
      let named = 0;
      for (const one of commands) {
        if ('add' in one) {
          const texts = one.add.map((size) => `${named++}`.padEnd(size, '.'));
          const bytes = texts.map((text) => new TextEncoder().encode(text));
          waiting.add(delivery({ id: String(named), entries: encodeRun(bytes) }));
          expected.push(...bytes.map(String));
        } else if ('take' in one) {
          taken = waiting.take(0, one.take, one.bytes);
          const texts = taken.flatMap(textsOf);
          assert.ok(texts.length <= one.take);
          assert.deepEqual(texts, expected.slice(0, texts.length));
          expected = expected.slice(texts.length);
        } else if ('giveBack' in one) {
          waiting.giveBack(taken);
          expected = [...taken.flatMap(textsOf), ...expected];
          taken = [];
        } else if (waiting.first !== undefined) {
          const { next, item } = waiting.first;
          const to = Math.min(item.entries.length, next + one.advance);
          waiting.advanceFirst(to);
          expected = expected.slice(to - next);
          taken = []; // what comes before is in the log
        }
        assert.equal(waiting.entries, expected.length);
        assert.equal(
          waiting.bytes,
          expected.reduce((sum, text) => sum + 2 + (text === '' ? 0 : text.split(',').length), 0),
        );
      }
      const left = waiting
        .clear()
        .flatMap((all) => textsOf({ delivery: all, from: all.next, to: all.item.entries.length }));
      assert.deepEqual(left, expected);
      assert.equal(waiting.entries + waiting.bytes, 0);
    }),
    { numRuns: 300 },
  );
});
