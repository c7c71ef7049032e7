/** Trying again, on the injected clock: doubling waits with jitter, a bound on the tries, and an end on abort. */

import type { Clock } from '../clock.ts';
import { BusyError, isSteleError, SteleError } from '../errors.ts';

export interface RetryDependencies {
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly maxAttempts: number;
  readonly signal: AbortSignal;
  /** Told of every failure that is tried again. */
  readonly onRetry: (what: string, error: Error, attempt: number) => void;
}

const FIRST_WAIT_MS = 50;
const MAX_WAIT_MS = 10_000;

/**
 * Runs `step` until it succeeds. Only `unreachable` and `busy` are tried again: they say that nothing was changed.
 * Every other error is the caller's, and so is the last one when the tries are used up.
 */
export async function retrying<T>(deps: RetryDependencies, what: string, step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (!isSteleError(error, 'unreachable', 'busy') || attempt >= deps.maxAttempts) throw error;
      deps.onRetry(what, error, attempt);
      await deps.clock.sleep(waitMs(deps, attempt, error), deps.signal);
      if (deps.signal.aborted) {
        throw new SteleError('aborted', `gave up ${what}: ${error.message}`, { cause: error });
      }
    }
  }
}

function waitMs(deps: RetryDependencies, attempt: number, error: SteleError): number {
  const full = Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 20));
  const [byte = 0] = deps.random(1);
  const jittered = full * (0.5 + byte / 512);
  return error instanceof BusyError ? Math.max(jittered, Math.min(MAX_WAIT_MS, error.retryAfterMs)) : jittered;
}
