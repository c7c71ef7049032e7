/** Twenty thousand schedules without a violation, and every planted bug found. Replay: `npm run sim -- --seed S`. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { MUTATIONS } from '../simulator/mutations.ts';
import { simulate } from '../simulator/simulate.ts';

const SEED = Number(process.env['STELE_SEED'] ?? Date.now() % 1_000_000_000);
const SCHEDULES = 20_000;
/** Within so many schedules every planted bug must be found. */
const ENOUGH = 10_000;

test(`${SCHEDULES} schedules from seed ${SEED} on lose, double, fork and forget nothing (FAULT-18)`, async (t) => {
  const { schedules, counts, failures } = await simulate({ seed: SEED, schedules: SCHEDULES, jobs: 2 });
  for (const { seed, violations, trace } of failures) {
    t.diagnostic(trace.join('\n'));
    assert.fail(`npm run sim -- --seed ${seed} --schedules 1: ${violations[0]}`);
  }
  assert.equal(schedules, SCHEDULES);
  t.diagnostic(JSON.stringify(counts));
});

for (const [mutation, { what }] of Object.entries(MUTATIONS)) {
  test(`the planted bug ${mutation} is found: ${what}`, async (t) => {
    const { schedules, failures } = await simulate({ seed: 1, schedules: ENOUGH, jobs: 2, mutation });
    assert.ok(failures.length > 0, `nothing in ${schedules} schedules`);
    t.diagnostic(`after ${schedules} schedules, with seed ${failures[0]?.seed}: ${failures[0]?.violations[0]}`);
  });
}
