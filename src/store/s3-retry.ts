/** Trying again inside a bucket store: only what changes nothing, or does the same again; a few times, and then no more. */

import { type Clock, systemClock } from '../clock.ts';
import { isSteleError, type SteleError } from '../errors.ts';
import { throwIfAborted } from './errors.ts';

export interface RetryPolicy {
  readonly clock: Clock;
  /** A number from 0 to 1, for jitter. */
  readonly random: () => number;
  /** How often something is tried in all. */
  readonly attempts: number;
}

/** Four tries take two seconds at most, unless the server asks for more: longer outages are the caller's to sit out. */
export const USUAL_RETRIES: RetryPolicy = { clock: systemClock, random: Math.random, attempts: 4 };

const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 5_000;

/** A server that asks for a longer wait than this is left alone: its wish goes to the caller with the error. */
const MAX_ASKED_MS = 20_000;

/**
 * Runs `step` until it succeeds, fails for good, or the tries are used up. `unreachable` and `outcome-unknown` are
 * tried again: `step` must be something that may be done twice.
 */
export async function tryAgain<T>(policy: RetryPolicy, signal: AbortSignal | undefined, step: () => Promise<T>) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (!isSteleError(error, 'unreachable', 'outcome-unknown') || attempt >= policy.attempts) throw error;
      const wait = waitMs(policy, attempt, askedMs(error));
      if (wait === undefined) throw error;
      await policy.clock.sleep(wait, signal);
      throwIfAborted(signal, 'waiting to try again');
    }
  }
}

/** How long to wait before the next try, in ms: doubling, half of it by chance; undefined: do not try again. */
export function waitMs(policy: RetryPolicy, attempt: number, asked = 0): number | undefined {
  const full = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1));
  return asked > MAX_ASKED_MS ? undefined : Math.max(asked, full * (0.5 + policy.random() / 2));
}

function askedMs(error: SteleError): number {
  return 'retryAfterMs' in error && typeof error.retryAfterMs === 'number' ? error.retryAfterMs : 0;
}
