/** A few hundred schedules, and the planted bugs that are quickest to find; the rest is in test/long. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { treeHash } from '../sequencer/harness.ts';
import { MUTATIONS, timesFound } from './mutations.ts';
import { runSchedule } from './schedule.ts';
import { simulate } from './simulate.ts';
import { Tree } from './tree.ts';

const SOUND = { ignoresIfMatch: false };
const SEED = 1;

test('no schedule loses, doubles, forks or forgets anything (RACE-2, RACE-3, RACE-5, RACE-8, PUB-1, PUB-2, PUB-3)', async (t) => {
  const { schedules, counts, failures } = await simulate({ seed: SEED, schedules: 400, jobs: 2 });
  assert.deepEqual(
    failures.map(({ seed, violations, trace }) => ({ seed, violations, trace })),
    [],
  );
  assert.equal(schedules, 400);
  t.diagnostic(JSON.stringify(counts));
  for (const [what, count] of Object.entries(counts)) assert.ok(count > 0, `${what} happen at all`);
});

test('a seed is a run, whoever runs it, and another seed is another', async () => {
  const runs = await Promise.all([7, 7, 8].map((seed) => runSchedule(seed, SOUND, true)));
  const [one, again, other] = runs.map(({ hash }) => hash);
  assert.equal(one, again);
  assert.notEqual(one, other);
  assert.deepEqual(runs[0]?.trace, runs[1]?.trace);
  const untraced = await runSchedule(7, SOUND, false);
  assert.equal(untraced.hash, one);
});

/** Schedules in which something was found once, with what it was. */
const FOUND: readonly (readonly [seed: number, what: string])[] = [
  [10_010_099, 'what a writer remembers is on its way while it is misled and made to forget everything'],
  [20_115_838, 'the journal is lost before anything is published, and its entries are part of no history any more'],
  [20_372_420, 'the same, with tiles that a lost commit left behind'],
  [20_744_801, 'the same, with a bundle'],
];

test('what was found once is not found again', async () => {
  for (const [seed, what] of FOUND) {
    const { violations } = await runSchedule(seed, SOUND, false);
    assert.deepEqual(violations, [], what);
  }
});

test('the trees of the oracle are those of RFC 6962, also where they begin as part of another', () => {
  const entries = Array.from({ length: 70 }, (_, i) => `leaf ${i}`);
  const hashes = entries.map((entry) => createHash('sha256').update(`\0${entry}`).digest());
  const whole = new Tree();
  for (const entry of entries.slice(0, 40)) whole.append(entry);
  for (const begun of [0, 1, 7, 32, 40]) {
    const tree = new Tree(whole, begun);
    for (const entry of entries.slice(begun)) tree.append(entry);
    for (let size = 0; size <= 70; size++) assert.deepEqual(tree.root(size), treeHash(hashes.slice(0, size)));
  }
});

test('what a planted bug replaces stands in the program exactly once', () => {
  const wrong = Object.entries(MUTATIONS).flatMap(([name, { replacements }]) =>
    replacements.filter((one) => timesFound(one) !== 1).map(({ file, line }) => `${name}: ${file}: ${line}`),
  );
  assert.deepEqual(wrong, []);
});

for (const mutation of [
  'no-authority-read',
  'acknowledge-before-publish',
  'publish-without-swap',
  'collect-the-last-record',
  'no-backfill',
  'trust-unknown-as-failure',
  'sign-before-authority',
]) {
  test(`the planted bug is found: ${MUTATIONS[mutation]?.what}`, async (t) => {
    const { schedules, failures } = await simulate({ seed: SEED, schedules: 1_000, jobs: 1, mutation });
    assert.equal(failures.length, 1, `nothing in ${schedules} schedules`);
    t.diagnostic(`after ${schedules} schedules: ${failures[0]?.violations[0]}`);
  });
}
