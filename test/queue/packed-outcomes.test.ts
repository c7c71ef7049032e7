/** An outcome and its number say the same; an outcome that no number stands for is an error, never another outcome. */

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  type EntryOutcome,
  FROZEN_REASON,
  packOutcome,
  packOutcomes,
  unpackOutcome,
  unpackOutcomes,
} from '../../src/queue/index.ts';

const outcome: fc.Arbitrary<EntryOutcome> = fc.oneof(
  fc.record({ index: fc.maxSafeNat(), duplicate: fc.boolean() }, { noNullPrototype: true }),
  fc.constant({ refused: FROZEN_REASON }),
);

test('what is packed is what was there, at the ends of what an index can be as well', () => {
  fc.assert(
    fc.property(fc.array(outcome), (outcomes) => {
      assert.deepEqual(unpackOutcomes(packOutcomes(outcomes)), outcomes);
    }),
  );
  for (const index of [0, Number.MAX_SAFE_INTEGER]) {
    for (const duplicate of [false, true]) {
      assert.deepEqual(unpackOutcome(packOutcome({ index, duplicate })), { index, duplicate });
    }
  }
});

test('another refusal than that of a frozen log cannot be packed', () => {
  assert.throws(() => packOutcomes([{ index: 1, duplicate: false }, { refused: 'not JSON' }]), /not JSON/);
});
