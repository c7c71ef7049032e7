/**
 * A front end: submits entries to a queue of any kind, in items, and waits for each receipt. Writes `stored <first> <count>`
 * when an item is in the queue, and `<first> <index> <index> …` when it is answered. Arguments: queue URL, from, to, entries
 * of an item, of them from its predecessor's end, pause between items in ms.
 */

import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSubmitter, parseQueuePlace } from '../../src/cli/queue.ts';
import { systemClock } from '../../src/clock.ts';
import { isSteleError } from '../../src/errors.ts';

/** Items that may wait for their receipt at a time. */
const IN_FLIGHT = 32;
const RECEIPT_MS = 120_000;

const [url = '', ...numbers] = process.argv.slice(2);
const [from = 0, to = 0, perItem = 1, overlap = 0, pauseMs = 0] = numbers.map(Number);
const submitter = await openSubmitter(parseQueuePlace(url));
const signal = new AbortController().signal;

/** Submitting again is safe, whatever became of the first time. */
async function submit(entries: readonly Uint8Array[]): Promise<string[]> {
  for (;;) {
    try {
      return await submitter.submit(entries);
    } catch (error) {
      if (!isSteleError(error, 'unreachable', 'outcome-unknown', 'busy')) throw error;
    }
  }
}

async function answered(first: number, names: readonly string[]): Promise<void> {
  const indices: (number | string)[] = [];
  for (const name of names) {
    const { outcomes } = await submitter.waitForReceipt(name, { timeoutMs: RECEIPT_MS, clock: systemClock, signal });
    for (const outcome of outcomes) indices.push('index' in outcome ? outcome.index : outcome.refused);
  }
  writeSync(1, `${first} ${indices.join(' ')}\n`);
}

const waiting = new Set<Promise<void>>();
for (let at = from; at < to; at += perItem) {
  const first = Math.max(0, at - overlap);
  const entries = Array.from({ length: Math.min(to, at + perItem) - first }, (_, i) => `entry ${first + i}`);
  const names = await submit(entries.map((entry) => new TextEncoder().encode(entry)));
  writeSync(1, `stored ${first} ${entries.length}\n`);
  const answer: Promise<void> = answered(first, names).finally(() => waiting.delete(answer));
  waiting.add(answer);
  if (waiting.size >= IN_FLIGHT) await Promise.race(waiting);
  await sleep(pauseMs);
}
await Promise.all(waiting);
await submitter.close();
