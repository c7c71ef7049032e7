/**
 * Many hashes at once: short messages by the kernel, four at a time; long ones, and all where there is no kernel, one by
 * one. Whoever computes them, the hashes are the same.
 */

import * as platform from '#sha256';
import { equalBytes, HASH_SIZE, LEAF_PREFIX, NODE_PREFIX } from './hash.ts';
import { type Batch, type Kernel, openKernel } from './kernel.ts';

/** With fewer messages the platform is faster: the kernel takes as long for one as for four (measured: 3 pairs of hashes). */
const MIN_SHARED = 3;

const PAIR = 2 * HASH_SIZE;

/** SHA-256 of one message, and the length up to which the kernel is faster at many; as `#sha256` has them. */
export interface Platform {
  readonly sha256: (message: Uint8Array) => Uint8Array;
  readonly BATCHED_LENGTH: number;
}

/** The functions of this file, for one platform and one kernel. */
export interface BatchHasher {
  readonly hashLeaves: (bytes: Uint8Array, spans: Uint32Array) => Uint8Array;
  readonly hashLevel: (hashes: Uint8Array) => Uint8Array;
}

const hasher = batchHasher(platform, openKernel);

/**
 * The packed leaf hashes of the entries bytes[spans[0]:spans[1]], bytes[spans[2]:spans[3]], and so on. Their lengths may
 * differ, and they may lie in any order; in order and close together is fastest. Throws RangeError for a span that is not
 * within the bytes.
 */
export function hashLeaves(bytes: Uint8Array, spans: Uint32Array): Uint8Array {
  return hasher.hashLeaves(bytes, spans);
}

/** The packed hashes of n parents, from those of their 2n children. Throws RangeError unless these are pairs. */
export function hashLevel(hashes: Uint8Array): Uint8Array {
  return hasher.hashLevel(hashes);
}

/** `open` is called once, when a kernel is first of use, and gives undefined where there is none. */
export function batchHasher(platform: Platform, open: () => Kernel | undefined): BatchHasher {
  let kernel: Kernel | 'none' | undefined;

  const kernelFor = (messages: number): Kernel | undefined => {
    if (messages < MIN_SHARED) return undefined;
    kernel ??= trustedKernel(open, platform);
    return kernel === 'none' ? undefined : kernel;
  };

  return {
    hashLeaves: (bytes, spans) => {
      if (spans.length % 2 !== 0) throw new RangeError(`${spans.length} numbers are not pairs of a start and an end`);
      const batch = { prefix: LEAF_PREFIX, bytes, spans };
      const hashes = new Uint8Array((spans.length / 2) * HASH_SIZE);
      const { short, longest } = survey(batch, platform.BATCHED_LENGTH);
      const shared = kernelFor(short);
      shared?.hashMessages(batch, platform.BATCHED_LENGTH, hashes);
      const shortest = shared === undefined ? 0 : platform.BATCHED_LENGTH + 1;
      if (longest >= shortest) hashOneByOne(batch, shortest, longest, platform, hashes);
      return hashes;
    },
    hashLevel: (children) => {
      if (children.length % PAIR !== 0) throw new RangeError(`${children.length} bytes are not pairs of hashes`);
      const parents = new Uint8Array(children.length / 2);
      const shared = kernelFor(children.length / PAIR);
      if (shared === undefined) pairsOneByOne(children, platform, parents);
      else shared.hashPairs(children, parents);
      return parents;
    },
  };
}

/** How many messages have no more than `limit` bytes, and the length of the longest. */
function survey({ bytes, spans }: Batch, limit: number): { short: number; longest: number } {
  let short = 0;
  let longest = -1;
  for (let i = 0; i < spans.length; i += 2) {
    const start = spans[i] ?? 0;
    const end = spans[i + 1] ?? 0;
    if (start > end || end > bytes.length) {
      throw new RangeError(`[${start}, ${end}) is not within ${bytes.length} bytes`);
    }
    if (end - start <= limit) short++;
    if (end - start > longest) longest = end - start;
  }
  return { short, longest };
}

/** Hashes the messages that have from `shortest` to `longest` bytes. */
function hashOneByOne(batch: Batch, shortest: number, longest: number, platform: Platform, hashes: Uint8Array): void {
  const { prefix, bytes, spans } = batch;
  const message = new Uint8Array(1 + longest);
  message[0] = prefix;
  for (let i = 0; i < spans.length; i += 2) {
    const start = spans[i] ?? 0;
    const end = spans[i + 1] ?? 0;
    if (end - start < shortest) continue;
    message.set(bytes.subarray(start, end), 1);
    hashes.set(platform.sha256(message.subarray(0, 1 + end - start)), (i / 2) * HASH_SIZE);
  }
}

function pairsOneByOne(children: Uint8Array, platform: Platform, parents: Uint8Array): void {
  const message = new Uint8Array(1 + PAIR);
  message[0] = NODE_PREFIX;
  for (let at = 0; at < parents.length; at += HASH_SIZE) {
    message.set(children.subarray(2 * at, 2 * at + PAIR), 1);
    parents.set(platform.sha256(message), at);
  }
}

/**
 * The kernel, if there is one and it hashes as the platform does. A wrong hash that gets into a log is there for good,
 * and generated code meets engines that nobody has tried it on.
 */
function trustedKernel(open: () => Kernel | undefined, platform: Platform): Kernel | 'none' {
  const kernel = open();
  if (kernel === undefined) return 'none';
  // Message i is bytes[i:2i], so there is one of every length up to two blocks, and pairs end with every byte there is.
  const count = 128;
  const spans = Uint32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / 2 : i - 1));
  const bytes = Uint8Array.from({ length: 256 * PAIR }, (_, i) => (i * 151 + Math.floor(i / PAIR)) % 256);
  const batch = { prefix: NODE_PREFIX, bytes, spans };
  const [hashes, expected] = [new Uint8Array(count * HASH_SIZE), new Uint8Array(count * HASH_SIZE)];
  const [parents, expectedParents] = [new Uint8Array(bytes.length / 2), new Uint8Array(bytes.length / 2)];
  kernel.hashMessages(batch, count, hashes);
  kernel.hashPairs(bytes, parents);
  hashOneByOne(batch, 0, count, platform, expected);
  pairsOneByOne(bytes, platform, expectedParents);
  return equalBytes(hashes, expected) && equalBytes(parents, expectedParents) ? kernel : 'none';
}
