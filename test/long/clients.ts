/**
 * Clients of several front ends: they sign, submit over REST, come back to another front end when one answers 503, cuts
 * the connection or says nothing, and verify what they are told.
 */

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../../bench/figures.ts';
import { parseLogEntry, verifyLogEntry, verifySignature } from '../../src/entry/index.ts';
import type { Verifier } from '../../src/note/index.ts';
import { hashedRekord, SIGNERS, utf8 } from '../entry/proposals.ts';

/** How long a client goes on before its submission counts as one that failed, in ms. */
export const PATIENCE_MS = 60_000;
/** How long it waits for one answer; as most clients of sigstore. */
const ANSWER_MS = 20_000;
/** Between an attempt that failed and the next. */
const PAUSE_MS = 250;
/** One in so many submits again what was submitted before. */
const AGAIN = 10;

export interface Submissions {
  readonly submitted: number;
  readonly answered: number;
  /** Requests, of which some were in vain: a front end was dead, cut off, or too busy. */
  readonly requests: number;
  /** By the entry's body, the index. */
  readonly told: ReadonlyMap<string, number>;
  readonly latencies: Readonly<Record<'p50Ms' | 'p99Ms' | 'p999Ms', number>>;
  /** Answers that nobody should get. */
  readonly wrong: readonly string[];
}

/** Comes by the clock, `rate` times a second, whether answered or not. `fronts`: their URLs, with a slash at the end. */
export async function submitAllTheWhile(
  fronts: readonly string[],
  verifier: Verifier,
  { forMs, rate }: { readonly forMs: number; readonly rate: number },
): Promise<Submissions> {
  const told = new Map<string, number>();
  const latencies: number[] = [];
  const wrong: string[] = [];
  const bodies: string[] = [];
  const waiting = new Set<Promise<void>>();
  let [submitted, requests] = [0, 0];

  const submit = async (request: string, first: number): Promise<void> => {
    const began = performance.now();
    for (let n = first; performance.now() - began < PATIENCE_MS; n++) {
      requests += 1;
      const answer = await post(fronts[n % fronts.length] ?? '', request);
      if (answer?.status === 201) {
        const { body, index } = await verifyLogEntry(parseLogEntry(answer.bytes), verifier, verifySignature);
        const entry = new TextDecoder().decode(body);
        const before = told.get(entry) ?? index;
        if (before !== index) wrong.push(`an entry was told the indices ${before} and ${index}`);
        told.set(entry, index);
        latencies.push(performance.now() - began);
        return;
      }
      if (answer !== undefined && answer.status !== 503) {
        wrong.push(`${answer.status}: ${new TextDecoder().decode(answer.bytes)}`);
        return;
      }
      await sleep(PAUSE_MS);
    }
    process.stderr.write(`a submission was not answered within ${PATIENCE_MS} ms\n`);
  };

  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const old = randomInt(AGAIN) === 0 ? bodies[randomInt(bodies.length || 1)] : undefined;
    const request = old ?? JSON.stringify(hashedRekord(SIGNERS.p256, utf8(`artifact ${submitted}`)));
    if (old === undefined) bodies.push(request);
    const answer: Promise<void> = submit(request, submitted)
      .catch((error: unknown) => void wrong.push(String(error)))
      .finally(() => waiting.delete(answer));
    waiting.add(answer);
    submitted += 1;
    await sleep(1_000 / rate);
  }
  await Promise.all(waiting);
  const at = (p: number): number => Math.round(percentile(latencies, p));
  const percentiles = { p50Ms: at(50), p99Ms: at(99), p999Ms: at(99.9) };
  return { submitted, answered: latencies.length, requests, told, latencies: percentiles, wrong };
}

/** Undefined: no answer, or not all of it. */
async function post(front: string, body: string): Promise<{ status: number; bytes: Uint8Array } | undefined> {
  const headers = { 'content-type': 'application/json' };
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(`${front}api/v2/log/entries`, { method: 'POST', headers, body, signal });
    return { status: answer.status, bytes: new Uint8Array(await answer.arrayBuffer()) };
  } catch {
    return undefined;
  }
}
