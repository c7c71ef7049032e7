/** The commit protocol within larger bounds than `npm test` has time for; capped where there are too many states. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SMALL } from '../model/counterexamples.ts';
import { explore } from '../model/explore.ts';
import type { Bounds } from '../model/rules.ts';

/** About half a kilobyte each. */
const CAP = 1_000_000;

const BOUNDS: readonly (readonly [Bounds, 'all' | 'capped'])[] = [
  [{ ...SMALL, crashes: 1 }, 'all'],
  [{ ...SMALL, disasters: 1 }, 'all'],
  [{ ...SMALL, freezes: 1 }, 'all'],
  [{ ...SMALL, batch: 2, wanted: ['ab', 'xy'] }, 'all'],
  [{ ...SMALL, batch: 2, crashes: 1, disasters: 1, freezes: 1, wanted: ['ab', 'xy'] }, 'capped'],
  [{ ...SMALL, wanted: ['a', 'x', 'm'] }, 'capped'],
];
for (const [bounds, extent] of BOUNDS) {
  test(`the protocol holds, ${extent}, within ${JSON.stringify(bounds)}`, (t) => {
    const { violation, path, isExhaustive, explored, refused } = explore(bounds, CAP);
    assert.equal(violation, undefined, JSON.stringify(path));
    assert.ok(isExhaustive || extent === 'capped', `all states were explored, not only ${explored}`);
    t.diagnostic(`${explored} states, ${refused} of them with a writer that refuses`);
  });
}
