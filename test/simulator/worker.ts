/** A process that runs schedules and tells its parent: some of the seeds, with one mutation or none. */

import { diceOf } from './dice.ts';
import { checkApplied, MUTATIONS, mutate } from './mutations.ts';
import type { Outcome } from './schedule.ts';

/** What the parent asks for, in JSON, as the first argument. */
export interface Assignment {
  readonly first: number;
  readonly step: number;
  readonly count: number;
  readonly mutation: string | undefined;
  /** Stop after so many schedules that failed. */
  readonly failures: number;
}

/** How many were run since the last message, the seed to go on with, and one that failed, traced. */
export interface Told {
  readonly schedules: number;
  readonly next: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failure: Outcome | undefined;
}

/** One in so many schedules is run a second time, and must be the same run. */
const REPEAT_EVERY = 97;
const TELL_EVERY = 50;
const UNTRACED_STACK = 0;
const TRACED_STACK = 30;

// Nobody is there to be told any more: the parent ended, or it has everything.
process.once('disconnect', () => process.exit());

const assignment = JSON.parse(process.argv[2] ?? '') as Assignment;
const { first, step, count, mutation, failures } = assignment;
const planted = mutation === undefined ? { ignoresIfMatch: false } : mutate(mutation);
const shows = MUTATIONS[mutation ?? '']?.shows ?? (() => true);
const { drawProfile } = await import('./profile.ts');
const { runSchedule } = await import('./schedule.ts');
checkApplied();

let told = 0;
let counts: Record<string, number> = {};
const tell = (schedules: number, next: number, failure?: Outcome): void => {
  process.send?.({ schedules: schedules - told, next, counts, failure } satisfies Told);
  told = schedules;
  counts = {};
};

let failed = 0;
let done = 0;
let seed = first;
for (; done < count && failed < failures; seed += step) {
  if (!shows(drawProfile(diceOf(seed)))) continue;
  done += 1;
  Error.stackTraceLimit = UNTRACED_STACK; // most errors are planted, and half of the time went into their stacks
  const outcome = await runSchedule(seed, planted, false);
  for (const [name, value] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + value;
  if (outcome.violations.length > 0 || done % REPEAT_EVERY === 0) {
    Error.stackTraceLimit = TRACED_STACK;
    const again = await runSchedule(seed, planted, true);
    const violations = again.hash === outcome.hash ? again.violations : ['the same seed gave another run'];
    if (violations.length > 0) {
      failed += 1;
      tell(done, seed + step, { ...again, violations });
    }
  }
  if (done % TELL_EVERY === 0) tell(done, seed + step);
}
tell(done, seed);
process.disconnect();
