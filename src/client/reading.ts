/** How this room reads: one store, and how patient to be with it. */
import { type Clock, systemClock } from '../clock.ts';
import { isSteleError, SteleError } from '../errors.ts';
import type { ReadableStore } from '../store/index.ts';

/** How often one object is asked for, and how long to wait in between. */
export interface RetryPolicy {
  /** Requests for one object in all, at least 1. */
  readonly attempts: number;
  /** The wait before the second request, in milliseconds; it doubles from one request to the next … */
  readonly firstDelayMs: number;
  /** … up to this. Each wait is shortened at random, by up to half of it. A server may ask for longer ones, up to 30 s. */
  readonly maxDelayMs: number;
  /**
   * What a signed checkpoint implies and is absent is asked for until this much time was waited for it, in milliseconds,
   * also after `attempts`: a CDN keeps 404s from before it was written. 0 unless given.
   */
  readonly absentMs?: number;
}

/**
 * Gives an object up after five requests and at most 3 s of waiting; what the checkpoint implies, only after 15 s: room
 * for a CDN that caches a 404 for ten.
 */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, firstDelayMs: 200, maxDelayMs: 2_000, absentMs: 15_000 };

/** The longest wait that a server may ask for (Retry-After). */
const MAX_RETRY_AFTER_MS = 30_000;

export interface ReadingOptions {
  /** `DEFAULT_RETRY` unless given. `{ attempts: 1, … }` suits a store without a network or a cache before it. */
  readonly retry?: RetryPolicy;
  /** The platform's timers unless given. */
  readonly clock?: Clock;
  /** Spreads waits; 0 ≤ random() < 1. `Math.random` unless given. */
  readonly random?: () => number;
  /** Ends all reading, with `aborted`. */
  readonly signal?: AbortSignal;
}

export interface Reading {
  readonly store: ReadableStore;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly random: () => number;
  readonly signal: AbortSignal | undefined;
  /**
   * Whether something implied stayed absent for all of `absentMs`. By then no 404 from before the checkpoint is in any
   * cache, so that nothing else of that checkpoint is waited for as long: a log that lost a thousand tiles says so soon.
   */
  readonly absence: { outlasted: boolean };
}

export function readingFrom(store: ReadableStore, options: ReadingOptions): Reading {
  return {
    store,
    retry: options.retry ?? DEFAULT_RETRY,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    signal: options.signal,
    absence: { outlasted: false },
  };
}

/** Throws `aborted` once the caller has given up. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  throw new SteleError('aborted', 'reading the log was given up by its caller', { cause: signal.reason });
}

/**
 * Runs `attempt` until it succeeds, at most `retry.attempts` times. What is absent or unreachable is asked for again
 * each time: a CDN may have cached a 404 from before the object was written, and what is `implied` by a signed
 * checkpoint is waited for longer. What came but is wrong is asked for only once more: a torn or stale copy heals that
 * way, a corrupt object does not. Then the last error stands.
 */
export async function retrying<T>(
  reading: Reading,
  attempt: (n: number) => Promise<T>,
  { implied }: { readonly implied: boolean } = { implied: true },
): Promise<T> {
  const { retry, clock, random, signal, absence } = reading;
  let wrongAnswers = 0;
  let waitedMs = 0;
  for (let n = 1; ; n++) {
    checkAborted(signal);
    let askedMs = 0;
    try {
      return await attempt(n);
    } catch (error) {
      const absent = isSteleError(error, 'not-found');
      const wrong = isSteleError(error, 'corrupt', 'malformed', 'unverified', 'invalid-proof');
      if (wrong) wrongAnswers += 1;
      if ((!absent && !wrong && !isSteleError(error, 'unreachable')) || wrongAnswers > 1) throw error;
      const patienceMs = absent && implied && !absence.outlasted ? (retry.absentMs ?? 0) : 0;
      if (n >= retry.attempts && waitedMs >= patienceMs) {
        if (patienceMs > 0) absence.outlasted = true;
        throw error;
      }
      askedMs = retryAfterMs(error);
    }
    const delayMs = Math.min(retry.maxDelayMs, retry.firstDelayMs * 2 ** (n - 1)) * (1 - random() / 2);
    const pauseMs = Math.max(delayMs, Math.min(askedMs, MAX_RETRY_AFTER_MS));
    await clock.sleep(pauseMs, signal);
    waitedMs += pauseMs;
  }
}

/** The wait that a store was asked for, as its `UnreachableError` has it; 0 when it was not. */
function retryAfterMs(error: unknown): number {
  const asked = error instanceof SteleError && 'retryAfterMs' in error ? error.retryAfterMs : undefined;
  return typeof asked === 'number' ? asked : 0;
}
