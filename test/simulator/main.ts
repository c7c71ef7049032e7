/**
 * `npm run sim -- --seed S --schedules N [--trace] [--mutate NAME] [--jobs J] [--failures K]`: N schedules from seed S
 * on. Ends at the first that fails (at the Kth, and then prints the shortest): its seed and what happened in it. Exit
 * status 1: some failed. `--trace` prints what happened in a schedule that did not fail.
 */

import { parseArgs } from 'node:util';
import { MUTATIONS } from './mutations.ts';
import { runSchedule } from './schedule.ts';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    schedules: { type: 'string', default: '1000' },
    trace: { type: 'boolean', default: false },
    mutate: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    failures: { type: 'string', default: '1' },
  },
});

function wholeNumber(name: 'seed' | 'schedules' | 'jobs' | 'failures'): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= (name === 'seed' ? 0 : 1)) return value;
  console.error(`--${name} takes a whole number, not ${values[name]}`);
  process.exit(2);
}

const mutation = values.mutate;
if (mutation !== undefined && MUTATIONS[mutation] === undefined) {
  console.error(`--mutate takes one of ${Object.keys(MUTATIONS).join(', ')}`);
  process.exit(2);
}

const seed = wholeNumber('seed');
const schedules = wholeNumber('schedules');
const PROGRESS_EVERY = 1_000;
let shown = 0;
const began = performance.now();
const report = await simulate({
  seed,
  schedules,
  jobs: Math.min(schedules, wholeNumber('jobs')),
  failures: wholeNumber('failures'),
  onProgress: (run) => {
    if (Math.floor(run / PROGRESS_EVERY) > shown) console.error(`${run} schedules`);
    shown = Math.floor(run / PROGRESS_EVERY);
  },
  ...(mutation !== undefined && { mutation }),
});
const [shortest] = report.failures;
if (shortest !== undefined) {
  console.log(shortest.trace.join('\n'));
  for (const failure of report.failures) console.log(`seed ${failure.seed}: ${failure.violations[0]}`);
  const again = `npm run sim -- --seed ${shortest.seed} --schedules 1${mutation === undefined ? '' : ` --mutate ${mutation}`}`;
  console.log(`the shortest, above: ${again}`);
} else if (values.trace && mutation === undefined) {
  for (let k = 0; k < schedules; k++) {
    const { trace } = await runSchedule(seed + k, { ignoresIfMatch: false }, true);
    console.log(trace.join('\n'));
  }
}
const seconds = (performance.now() - began) / 1_000;
const counts = Object.entries(report.counts).map(([name, value]) => `${value} ${name}`);
console.log(`${report.schedules} schedules, ${(report.schedules / seconds).toFixed(0)}/s: ${counts.join(', ')}`);
console.log(report.failures.length === 0 ? 'no violation' : `${report.failures.length} failed`);
process.exitCode = report.failures.length === 0 ? 0 : 1;
