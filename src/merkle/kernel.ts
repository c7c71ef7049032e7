/** Driving the kernel: its compiled module, one for all threads, and its instances, each with a memory of its own. */

import { HASH_SIZE } from './hash.ts';
import { INPUT, INPUT_SIZE, JOB_WORDS, JOBS, kernelCode, MAX_JOBS, RESULTS, TAILS } from './kernel-code.ts';
import { tailSchedules } from './schedule.ts';

/** Messages to be hashed: number i is `prefix` ‖ bytes[spans[2i]:spans[2i + 1]]. The spans are within the bytes. */
export interface Batch {
  readonly prefix: number;
  readonly bytes: Uint8Array;
  readonly spans: Uint32Array;
}

export interface Kernel {
  /**
   * Hashes the messages of the batch whose bodies have no more than `longest` bytes, message i into hashes[32i:32i + 32],
   * and leaves anything in the places of the others. `longest` is at most INPUT_SIZE.
   */
  readonly hashMessages: (batch: Batch, longest: number, hashes: Uint8Array) => void;
  /** Hashes n pairs of hashes, one after the other, into the n hashes of `parents`. */
  readonly hashPairs: (children: Uint8Array, parents: Uint8Array) => void;
}

/** The module once it is compiled, or that it cannot be. */
let compiled: WebAssembly.Module | 'refused' | undefined;

/**
 * The compiled kernel, to hand to worker threads; compiled on first use, which takes some 10 ms. Undefined where
 * WebAssembly or its vectors are not to be had, or a page's policy forbids them: the platform's SHA-256 then does it all.
 */
export function kernelModule(): WebAssembly.Module | undefined {
  compiled ??= orRefused(() => new WebAssembly.Module(kernelCode()));
  return compiled === 'refused' ? undefined : compiled;
}

/** In a worker thread, before it first hashes: takes what `kernelModule` gave elsewhere, instead of compiling it again. */
export function useKernelModule(module: WebAssembly.Module): void {
  compiled = module;
}

/** A new instance of the kernel, or undefined where there is no kernel or no memory for it. */
export function openKernel(): Kernel | undefined {
  const module = kernelModule();
  const instance = module === undefined ? 'refused' : orRefused(() => new WebAssembly.Instance(module));
  if (instance === 'refused') return undefined;
  const { memory, run, pairs } = instance.exports;
  if (!(memory instanceof WebAssembly.Memory) || typeof run !== 'function' || typeof pairs !== 'function') {
    throw new TypeError('the module is not the hash kernel');
  }
  // The memory has its size for good, so that these are never detached.
  const memoryBytes = new Uint8Array(memory.buffer);
  const jobs = new Uint32Array(memory.buffer, JOBS, MAX_JOBS * JOB_WORDS);
  const resultsOf = (count: number): Uint8Array => memoryBytes.subarray(RESULTS, RESULTS + count * HASH_SIZE);
  memoryBytes.set(new Uint8Array(tailSchedules().buffer), TAILS);

  return {
    hashMessages({ prefix, bytes, spans }, longest, hashes) {
      for (let first = 0; first < spans.length / 2; ) {
        const { next, low, high } = nextRun(spans, first, longest);
        memoryBytes.set(bytes.subarray(low, high), INPUT);
        let words = 0;
        for (let i = first; i < next; i++) {
          const start = spans[2 * i] ?? 0;
          const length = (spans[2 * i + 1] ?? 0) - start;
          if (length > longest) continue;
          jobs[words++] = INPUT + start - low;
          jobs[words++] = length;
          jobs[words++] = RESULTS + (i - first) * HASH_SIZE;
        }
        run(JOBS + words * Uint32Array.BYTES_PER_ELEMENT, prefix);
        hashes.set(resultsOf(next - first), first * HASH_SIZE);
        first = next;
      }
    },
    hashPairs(children, parents) {
      const most = MAX_JOBS * HASH_SIZE;
      for (let at = 0; at < parents.length; at += most) {
        const size = Math.min(most, parents.length - at);
        memoryBytes.set(children.subarray(2 * at, 2 * (at + size)), INPUT);
        pairs(RESULTS + size);
        parents.set(resultsOf(size / HASH_SIZE), at);
      }
    },
  };
}

/** As many messages from `first` on, up to `next`, as one run has room for, with all that lies between `low` and `high`. */
function nextRun(spans: Uint32Array, first: number, longest: number): { next: number; low: number; high: number } {
  const end = Math.min(spans.length / 2, first + MAX_JOBS);
  let low = Number.POSITIVE_INFINITY;
  let high = 0;
  let next = first;
  for (; next < end; next++) {
    const start = spans[2 * next] ?? 0;
    const stop = spans[2 * next + 1] ?? 0;
    if (stop - start > longest) continue;
    const lower = Math.min(low, start);
    const higher = Math.max(high, stop);
    if (higher - lower > INPUT_SIZE) break;
    low = lower;
    high = higher;
  }
  return { next, low, high };
}

function orRefused<T>(attempt: () => T): T | 'refused' {
  try {
    return attempt();
  } catch {
    // No support, a policy, no memory: whichever it was, the hashes are the same without the kernel.
    return 'refused';
  }
}
