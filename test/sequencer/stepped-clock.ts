import assert from 'node:assert/strict';
import type { Clock } from '../../src/clock.ts';

/** Time passes when nothing else happens any more, from one sleeper's end to the next, and is the same for all. */
export function steppedClock(
  offsetMs = 0,
): Clock & { readonly at: (ms: number, act: () => void) => void; run<T>(work: Promise<T>): Promise<T> } {
  const start = 1_800_000_000_000 + offsetMs;
  let now = start;
  let sleepers: { until: number; wake: () => void }[] = [];
  const wakeAt = (until: number, wake: () => void): void => void sleepers.push({ until, wake });
  return {
    now: () => now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const over = (): void => {
          sleepers = sleepers.filter(({ wake }) => wake !== over);
          resolve();
        };
        if (signal?.aborted) return resolve();
        signal?.addEventListener('abort', over);
        wakeAt(now + ms, over);
      }),
    at: (ms, act) => wakeAt(start + ms, act),
    async run(work) {
      let done = false;
      const over = (): void => {
        done = true;
      };
      work.then(over, over);
      for (;;) {
        for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
        if (done) return work;
        const [next] = sleepers.toSorted((a, b) => a.until - b.until);
        assert.ok(next, 'somebody waits for the time, or it is done');
        sleepers = sleepers.filter((sleeper) => sleeper !== next);
        now = Math.max(now, next.until);
        next.wake();
      }
    },
  };
}
