/**
 * Several threads that check ranges of a log, each with a store and a memory of its own (DESIGN §8). This thread is one of
 * them, and begins while the others still start.
 */

import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type BundleRange, type CheckedRange, checkRange, type RetryPolicy } from '../client/index.ts';
import { type ErrorCode, SteleError } from '../errors.ts';
import { kernelModule } from '../merkle/index.ts';
import { openReadableStore, type ReadableStore } from '../store/index.ts';

export interface WorkerSetup {
  readonly storeUrl: string;
  readonly retry: RetryPolicy;
}

/** What a thread starts with: the hash kernel as well, which is compiled once for all. */
export interface WorkerData extends WorkerSetup {
  readonly kernel: WebAssembly.Module | undefined;
}

export interface RangeRequest {
  readonly id: number;
  readonly range: BundleRange;
}

export type RangeAnswer =
  | { readonly id: number; readonly checked: CheckedRange }
  | { readonly id: number; readonly code: ErrorCode; readonly message: string };

export interface RangeThreads {
  checkRange(range: BundleRange): Promise<CheckedRange>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(checked: CheckedRange): void;
  reject(error: unknown): void;
}

/** Compiled beside this file under the same kind of name. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './fsck-worker.ts' : './fsck-worker.js', import.meta.url);

/** One thread, and how many ranges it has been given and not answered. */
interface Runner {
  readonly check: (range: BundleRange) => Promise<CheckedRange>;
  readonly close: () => Promise<unknown>;
  load: number;
}

/** `count` threads, this one among them. */
export function openRangeThreads(count: number, setup: WorkerSetup): RangeThreads {
  const runners = [thisThread(setup), ...Array.from({ length: count - 1 }, () => startThread(setup))];
  return {
    async checkRange(range) {
      const runner = runners.reduce((least, one) => (one.load < least.load ? one : least));
      runner.load += 1;
      return runner.check(range).finally(() => {
        runner.load -= 1;
      });
    },
    async close() {
      await Promise.all(runners.map((runner) => runner.close()));
    },
  };
}

function thisThread({ storeUrl, retry }: WorkerSetup): Runner {
  const store = openReadableStore(storeUrl, { blocking: true });
  // Reads that block never let the event loop turn, and the other threads would wait for their answers to be taken.
  const yielding: ReadableStore = {
    url: store.url,
    async get(key, options) {
      await setImmediate();
      return store.get(key, options);
    },
  };
  return { check: (range) => checkRange(yielding, range, { retry }), close: async () => {}, load: 0 };
}

function startThread(setup: WorkerSetup): Runner {
  const waiting = new Map<number, Waiting>();
  const worker = new Worker(WORKER, { workerData: { ...setup, kernel: kernelModule() } satisfies WorkerData });
  let ended: Error | undefined;
  const end = (error: Error): void => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on('error', end);
  worker.on('exit', () => end(new Error('a thread of fsck has ended')));
  worker.on('message', (answer: RangeAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('checked' in answer) asked?.resolve(answer.checked);
    else asked?.reject(new SteleError(answer.code, answer.message));
  });
  let asked = 0;
  const check = (range: BundleRange): Promise<CheckedRange> =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(ended); // it would wait for ever
      const id = asked;
      asked += 1;
      waiting.set(id, { resolve, reject });
      worker.postMessage({ id, range } satisfies RangeRequest);
    });
  return { check, close: () => worker.terminate(), load: 0 };
}
