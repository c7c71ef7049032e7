/**
 * The commit protocol in every order of events that small bounds allow. It holds; and each of its rules is needed: left
 * out, there is a way to a fork, a duplicate, a rollback, a refusal without cause, or a log that goes on after its end.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { COUNTEREXAMPLES, SMALL } from './counterexamples.ts';
import { explore } from './explore.ts';
import { type Bounds, RULES } from './rules.ts';

const CAP = 400_000;

const HOLDS: readonly Bounds[] = [
  SMALL,
  { ...SMALL, size: 1, crashes: 1, disasters: 1, freezes: 1, wanted: ['a', 'x'] },
];
for (const bounds of HOLDS) {
  test(`the protocol holds in all that can happen within ${JSON.stringify(bounds)}`, (t) => {
    const { violation, path, isExhaustive, explored } = explore(bounds, CAP);
    assert.equal(violation, undefined, JSON.stringify(path));
    assert.ok(isExhaustive, `all states were explored, not only ${explored}`);
    t.diagnostic(`${explored} states`);
  });
}

for (const { rule, bounds, violation } of COUNTEREXAMPLES) {
  test(`without the rule "${rule}" the protocol breaks`, (t) => {
    const found = explore(bounds, CAP, rule);
    assert.match(found.violation ?? `nothing in ${found.explored} states`, violation);
    t.diagnostic(`${found.violation}, after ${found.path.length} steps, ${found.explored} states`);
  });
}

test('every rule has its counterexample', () => {
  assert.deepEqual(COUNTEREXAMPLES.map(({ rule }) => rule).toSorted(), RULES.toSorted());
});
