/**
 * Proofs as data: which hashes a proof consists of, before any of them is fetched or computed.
 *
 * A proof is a list of ranges of entries, each standing for MTH(D[start:end]). A range that appears in a proof is made
 * of the nodes of `rangeNodes`, and tiles hold those.
 */

import { EMPTY_ROOT, type Hash, hashNode } from './hash.ts';

/** The root of a full subtree: MTH(D[index · 2^level : (index + 1) · 2^level]). Level 0 are the leaves. */
export interface Node {
  readonly level: number;
  readonly index: number;
}

/** Entries from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * One turn on the way down from the root to a subtree: the side that is left behind, which the proof must supply.
 * At a `split` the subtree itself goes on in both halves; it then has all of the left one.
 */
export interface Turn {
  readonly away: 'left' | 'right' | 'split';
  readonly range: Range;
}

/** The way down to a subtree, and what is found at its end: the subtree as given, or the `rest` of it beyond a split. */
export interface Descent {
  readonly turns: readonly Turn[];
  readonly rest: Range | undefined;
}

/**
 * Whether D[start:end] is a subtree (SUB-1; draft-ietf-plants-merkle-tree-certs-03 §4.1): not empty, and `start` a
 * multiple of the smallest power of two that is no less than its length. Such a range is a subtree of every tree that
 * contains it.
 */
export function isValidSubtree(start: number, end: number): boolean {
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start >= end) return false;
  return start % powerFrom(end - start) === 0;
}

/**
 * The nodes whose right fold is MTH(D[start:end]), from left to right, largest first. Throws RangeError unless the range
 * is empty or a subtree.
 */
export function rangeNodes(start: number, end: number): Node[] {
  if (start !== end) checkSubtree(start, end);
  const nodes: Node[] = [];
  let at = start;
  let level = 53;
  while (at < end) {
    while (2 ** level > end - at) level--;
    nodes.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return nodes;
}

/** The right fold of the hashes of nodes, n₀ ‖ (n₁ ‖ (n₂ ‖ …)), each ‖ a node hash; EMPTY_ROOT for none. */
export function foldNodes(hashes: readonly Hash[]): Hash {
  return hashes.length === 0 ? EMPTY_ROOT : hashes.reduceRight((right, left) => hashNode(left, right));
}

/** The inclusion proof of entry `index` in a tree of `size` (RFC 6962 §2.1.1), the leaf's sibling first. */
export function inclusionRanges(index: number, size: number): Range[] {
  return subtreeRanges(index, index + 1, size);
}

/** The consistency proof between two sizes (RFC 6962 §2.1.2). Nothing proves that a tree extends the empty one. */
export function consistencyRanges(oldSize: number, newSize: number): Range[] {
  return oldSize === 0 && Number.isSafeInteger(newSize) && newSize >= 0 ? [] : subtreeRanges(0, oldSize, newSize);
}

/**
 * The proof that D[start:end] is a subtree of the tree of `size` (SUB-4; the same draft, §4.4). From 0 it is a
 * consistency proof, of one entry an inclusion proof. Throws RangeError unless it is a subtree within the tree.
 */
export function subtreeRanges(start: number, end: number, size: number): Range[] {
  const { turns, rest } = descent(start, end, size);
  const ranges = turns.map((turn) => turn.range).reverse();
  return rest === undefined ? ranges : [rest, ...ranges];
}

/** The way from the root of a tree of `size` down to the subtree D[start:end]; SUBTREE_SUBPROOF of §4.4.1, unrolled. */
export function descent(start: number, end: number, size: number): Descent {
  checkSubtree(start, end);
  if (!Number.isSafeInteger(size) || end > size) {
    throw new RangeError(`[${start}, ${end}) is not within a tree of ${size} entries`);
  }
  const turns: Turn[] = [];
  let low = 0;
  let high = size;
  let from = start;
  while (from > low || end < high) {
    // RFC 6962 splits a tree at the largest power of two below its size.
    const middle = low + powerFrom(high - low) / 2;
    if (end <= middle) {
      turns.push({ away: 'right', range: { start: middle, end: high } });
      high = middle;
    } else {
      turns.push({ away: from < middle ? 'split' : 'left', range: { start: low, end: middle } });
      low = middle;
      from = Math.max(from, middle);
    }
  }
  return { turns, rest: from > start ? { start: low, end: high } : undefined };
}

function checkSubtree(start: number, end: number): void {
  if (isValidSubtree(start, end)) return;
  throw new RangeError(`[${start}, ${end}) is not a subtree of any tree`);
}

/** The smallest power of two that is no less than `count`. */
function powerFrom(count: number): number {
  let power = 1;
  while (power < count) power *= 2;
  return power;
}
