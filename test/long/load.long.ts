/**
 * More than a log can take, for a while: goodput holds, who is turned away is told when to come again, latencies are
 * bounded, and the event loop stays responsive (LOAD-4, LOAD-7). STELE_LOAD_SECONDS for longer than half a minute.
 */

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { BusyError, createLog, generateKey, type Log } from 'stele';
import { fsck } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';

const SECONDS = Number(process.env['STELE_LOAD_SECONDS'] ?? 30);
const PEAK_SECONDS = Math.min(10, SECONDS / 3);
const ENTRY_BYTES = 256;
/** Entries that come at once, as from a front end that gathers them for a moment. */
const BURST = 50;
/** Of what got through when everybody waited for an answer: enough that some must be turned away. */
const OVERLOAD = 2;
/** Submitters of the closed loop: so many bursts wait that the writer never does. */
const SUBMITTERS = 2_000;
/** What may wait to be published; beyond it, come again later. */
const LIMITS = { maxUnpublishedEntries: 200_000, dedupWindow: 200_000 };
/** The share of the peak that must get through: the catalogue's aim is 0.9 on a machine that does nothing else. */
const GOODPUT = 0.6;
const LOOP_DELAY_P99_MS = 250;
const { skey, vkey } = generateKey('log.example/load', createHash('sha256').update('load').digest());

const percentile = (sorted: readonly number[], p: number): number => sorted[Math.floor((sorted.length - 1) * p)] ?? 0;

/** Views of one buffer: half a million small ones would measure the garbage collector. */
function burst(): Uint8Array[] {
  const bytes = randomBytes(BURST * ENTRY_BYTES);
  return Array.from({ length: BURST }, (_, i) => bytes.subarray(i * ENTRY_BYTES, (i + 1) * ENTRY_BYTES));
}

/** Entries a second that get through when each of many submitters waits for its answer. */
async function peakOf(log: Log): Promise<number> {
  const end = performance.now() + PEAK_SECONDS * 1_000;
  let logged = 0;
  const submitter = async (): Promise<void> => {
    while (performance.now() < end) {
      const { length } = await log.appendAll(burst());
      logged += length;
    }
  };
  await Promise.all(Array.from({ length: SUBMITTERS }, submitter));
  return logged / PEAK_SECONDS;
}

test(`${OVERLOAD} times what it can take, for ${SECONDS} s: goodput, latency and the event loop hold (LOAD-1, LOAD-4, LOAD-7)`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-load-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const url = (name: string): string => pathToFileURL(join(folder, name)).href;
  const log = await createLog({
    publicStore: url('public'),
    privateStore: url('private'),
    key: skey,
    settings: LIMITS,
  });
  await peakOf(log); // compiled code, and files that are there already
  const peak = await peakOf(log);

  const latencies: number[] = [];
  let turnedAway = 0;
  let logged = 0;
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const began = performance.now();
  const waiting = new Set<Promise<void>>();
  let due = 0;
  while (performance.now() - began < SECONDS * 1_000) {
    for (const until = ((performance.now() - began) / 1_000) * peak * OVERLOAD; due < until; due += BURST) {
      const came = performance.now();
      const answer: Promise<void> = log
        .appendAll(burst())
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
        .finally(() => waiting.delete(answer));
      waiting.add(answer);
    }
    await pause(5);
  }
  const seconds = (performance.now() - began) / 1_000;
  const goodput = logged / seconds;
  delay.disable();
  await Promise.all(waiting);
  await log.close();

  latencies.sort((a, b) => a - b);
  const [p50 = 0, p99 = 0, p999 = 0] = [0.5, 0.99, 0.999].map((p) => Math.round(percentile(latencies, p)));
  const loopMs = delay.percentile(99) / 1e6;
  t.diagnostic(
    `peak ${Math.round(peak)}/s; at ${OVERLOAD} times that, goodput ${Math.round(goodput)}/s (${(goodput / peak).toFixed(2)}), ${turnedAway} turned away, p50 ${p50} ms, p99 ${p99} ms, p99.9 ${p999} ms, event loop p99 ${loopMs.toFixed(1)} ms`,
  );
  const report = await fsck(openReadableStore(url('public')), parseVerifierKey(vkey));
  assert.deepEqual(report.problems, []);
  assert.ok(turnedAway > 0, 'it was more than the log can take');
  assert.ok(goodput >= GOODPUT * peak, `goodput ${goodput} of a peak of ${peak}`);
  assert.ok(loopMs <= LOOP_DELAY_P99_MS, `the event loop was late by ${loopMs} ms (p99)`);
});
