/** Time, as everything that waits in Stele receives it: tests and the simulator hand in another one. */

export interface Clock {
  /** Milliseconds since 1970. May step back, or jump. */
  now(): number;
  /** Resolves after `ms` milliseconds, or as soon as `signal` aborts: it never rejects, look at the signal. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** What one timer of the platform can do, in milliseconds: 24.8 days. It would fire at once for more. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    for (let left = ms; left > 0 && !signal?.aborted; left -= LONGEST_TIMER_MS) {
      await timer(Math.min(left, LONGEST_TIMER_MS), signal);
    }
  },
};

function timer(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(running);
      signal?.removeEventListener('abort', over);
      resolve();
    };
    const running = setTimeout(over, ms);
    signal?.addEventListener('abort', over);
  });
}
