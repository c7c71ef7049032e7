/** Several threads that check ranges of a log, each with a store and a memory of its own (DESIGN §8). */

import { Worker } from 'node:worker_threads';
import type { BundleRange, CheckedRange, RetryPolicy } from '../client/index.ts';
import { type ErrorCode, SteleError } from '../errors.ts';
import { kernelModule } from '../merkle/index.ts';

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

export function openRangeThreads(count: number, setup: WorkerSetup): RangeThreads {
  const waiting = new Map<number, Waiting>();
  const failAll = (error: unknown): void => {
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(WORKER, { workerData: { ...setup, kernel: kernelModule() } satisfies WorkerData });
    worker.on('error', failAll);
    worker.on('message', (answer: RangeAnswer) => {
      const asked = waiting.get(answer.id);
      waiting.delete(answer.id);
      if ('checked' in answer) asked?.resolve(answer.checked);
      else asked?.reject(new SteleError(answer.code, answer.message));
    });
    return worker;
  });
  let asked = 0;
  return {
    checkRange: (range) =>
      new Promise((resolve, reject) => {
        const id = asked;
        asked += 1;
        waiting.set(id, { resolve, reject });
        workers[id % count]?.postMessage({ id, range } satisfies RangeRequest);
      }),
    async close() {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
