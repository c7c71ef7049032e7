/**
 * Offers a log more than it can take, for a while, and writes what came of it as one line of JSON. A program of its own:
 * the test runner follows every promise of its process, which costs a log a tenth of what it can do.
 * Arguments: public URL, private URL, key, seconds.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { BusyError, createLog, type Log } from 'stele';
import { percentile } from '../../bench/figures.ts';

/** What `load-run.ts` writes: rates in entries a second, times in milliseconds. */
export interface LoadReport {
  /** What got through when everybody waited for an answer, … */
  readonly peak: number;
  /** … and again when the overload was over. */
  readonly peakAfter: number;
  readonly goodput: number;
  readonly turnedAway: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly loopP99: number;
}

/** Of what got through when everybody waited for an answer: enough that some must be turned away. */
export const OVERLOAD = 2;
const ENTRY_BYTES = 256;
/** Entries that come at once, as from a front end that gathers them for a moment. */
const BURST = 50;
/** Submitters of the closed loop: so many bursts wait that the writer never does. */
const SUBMITTERS = 2_000;
/** What may wait to be published; beyond it, come again later. */
const LIMITS = { maxUnpublishedEntries: 200_000, dedupWindow: 200_000 };

interface Burst {
  readonly entries: readonly Uint8Array[];
  /** The same bytes: what stands in front of each entry makes it one of its own. */
  readonly numbers: Uint32Array;
}

/**
 * Bursts of entries that nobody has submitted before, in buffers that are used again once their burst is answered: who
 * offers a load takes from the log that bears it.
 */
class Bursts {
  readonly #filling = randomBytes(BURST * ENTRY_BYTES);
  readonly #free: Burst[] = [];
  #made = 0;

  take(): Burst {
    const burst = this.#free.pop() ?? this.#allocate();
    for (let i = 0; i < BURST; i++) burst.numbers[(i * ENTRY_BYTES) / 4] = this.#made++;
    return burst;
  }

  giveBack(burst: Burst): void {
    this.#free.push(burst);
  }

  #allocate(): Burst {
    const bytes = new Uint8Array(this.#filling);
    const entries = Array.from({ length: BURST }, (_, i) => bytes.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES));
    return { entries, numbers: new Uint32Array(bytes.buffer) };
  }
}

/** Entries a second that get through when each of many submitters waits for its answer. */
async function peakOf(log: Log, bursts: Bursts, seconds: number): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let logged = 0;
  const submitter = async (): Promise<void> => {
    while (performance.now() < end) {
      const burst = bursts.take();
      const { length } = await log.appendAll(burst.entries);
      bursts.giveBack(burst);
      logged += length;
    }
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter));
  return logged / seconds;
}

/** `perSecond` entries, whatever becomes of those before. */
async function offer(log: Log, bursts: Bursts, perSecond: number, forMs: number) {
  const latencies: number[] = [];
  const waiting = new Set<Promise<void>>();
  let turnedAway = 0;
  let logged = 0;
  let due = 0;
  const began = performance.now();
  while (performance.now() - began < forMs) {
    for (const until = ((performance.now() - began) / 1_000) * perSecond; due < until; due += BURST) {
      const came = performance.now();
      const burst = bursts.take();
      const answer: Promise<void> = log
        .appendAll(burst.entries)
        .then(
          (accepted) => {
            logged += accepted.length;
            latencies.push(performance.now() - came);
          },
          (error: unknown) => {
            assert.ok(error instanceof BusyError && error.retryAfterMs > 0, String(error));
            turnedAway += BURST;
          },
        )
        .finally(() => {
          waiting.delete(answer);
          bursts.giveBack(burst);
        });
      waiting.add(answer);
    }
    await pause(5);
  }
  const goodput = logged / ((performance.now() - began) / 1_000);
  await Promise.all(waiting);
  return { goodput, turnedAway, latencies };
}

if (import.meta.main) {
  const [publicStore = '', privateStore = '', key = '', seconds = ''] = process.argv.slice(2);
  const peakSeconds = Math.min(10, Number(seconds) / 3);
  const log = await createLog({ publicStore, privateStore, key, settings: LIMITS });
  const bursts = new Bursts();
  await peakOf(log, bursts, peakSeconds); // compiled code, and files that are there already
  const peak = await peakOf(log, bursts, peakSeconds);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const { goodput, turnedAway, latencies } = await offer(log, bursts, peak * OVERLOAD, Number(seconds) * 1_000);
  delay.disable();
  const peakAfter = await peakOf(log, bursts, peakSeconds);
  await log.close();
  const [p50 = 0, p99 = 0, p999 = 0] = [50, 99, 99.9].map((p) => Math.round(percentile(latencies, p)));
  const loopP99 = delay.percentile(99) / 1e6;
  const report: LoadReport = { peak, peakAfter, goodput, turnedAway, p50, p99, p999, loopP99 };
  console.log(JSON.stringify(report));
}
