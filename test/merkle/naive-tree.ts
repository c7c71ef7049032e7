/**
 * RFC 6962 §2.1 and draft-ietf-plants-merkle-tree-certs-03 §4.4 written down as they define themselves, over
 * node:crypto: recursive, and sharing nothing with src/merkle. What tests hold src/merkle against.
 */

import { hash } from 'node:crypto';

export type Bytes = Uint8Array;

/** Of a message in parts. */
export function naiveSha256(...parts: readonly Bytes[]): Bytes {
  return Uint8Array.from(hash('sha256', Buffer.concat(parts), 'buffer'));
}

export function naiveLeaf(entry: Bytes): Bytes {
  return naiveSha256(Uint8Array.of(0), entry);
}

export function naiveNode(left: Bytes, right: Bytes): Bytes {
  return naiveSha256(Uint8Array.of(1), left, right);
}

/** The largest power of two smaller than n. */
function split(n: number): number {
  return n <= 2 ? 1 : 2 * split(Math.ceil(n / 2));
}

/** A tree by its leaf hashes. Hashes of ranges are remembered. */
export class NaiveTree {
  readonly #leaf: (index: number) => Bytes;
  readonly #known = new Map<string, Bytes>();

  constructor(leaf: (index: number) => Bytes) {
    this.#leaf = leaf;
  }

  /** MTH(D[start:end]). */
  hash(start: number, end: number): Bytes {
    const name = `${start} ${end}`;
    let result = this.#known.get(name);
    if (result === undefined) {
      const middle = start + split(end - start);
      if (start === end) result = naiveSha256();
      else if (end - start === 1) result = this.#leaf(start);
      else result = naiveNode(this.hash(start, middle), this.hash(middle, end));
      this.#known.set(name, result);
    }
    return result;
  }

  /** PATH(index, D[from:to]). */
  path(index: number, to: number, from = 0): Bytes[] {
    if (to - from === 1) return [];
    const middle = from + split(to - from);
    return index < middle
      ? [...this.path(index, middle, from), this.hash(middle, to)]
      : [...this.path(index, to, middle), this.hash(from, middle)];
  }

  /** SUBTREE_SUBPROOF(start, end, D[from:to], whole); from start = 0 it is SUBPROOF of RFC 6962. */
  subproof(start: number, end: number, to: number, from = 0, whole = true): Bytes[] {
    if (start === from && end === to) return whole ? [] : [this.hash(from, to)];
    const middle = from + split(to - from);
    if (end <= middle) return [...this.subproof(start, end, middle, from, whole), this.hash(middle, to)];
    if (middle <= start) return [...this.subproof(start, end, to, middle, whole), this.hash(from, middle)];
    return [...this.subproof(middle, end, to, middle, false), this.hash(from, middle)];
  }
}

/** Whether the proof leads from the leaf hash to the root: the definition of PATH, read the other way. */
export function naiveInclusionHolds(
  index: number,
  size: number,
  leafHash: Bytes,
  proof: readonly Bytes[],
  root: Bytes,
): boolean {
  const lead = (m: number, n: number, rest: readonly Bytes[]): Bytes | undefined => {
    const last = rest.at(-1);
    if (n === 1) return last === undefined ? leafHash : undefined;
    if (last === undefined) return undefined;
    const k = split(n);
    const below = m < k ? lead(m, k, rest.slice(0, -1)) : lead(m - k, n - k, rest.slice(0, -1));
    if (below === undefined) return undefined;
    return m < k ? naiveNode(below, last) : naiveNode(last, below);
  };
  if (index < 0 || index >= size) return false;
  const reached = lead(index, size, proof);
  return reached !== undefined && Buffer.compare(reached, root) === 0;
}

/** Whether the proof leads to both the subtree's hash and the root: the definition of SUBTREE_SUBPROOF, likewise. */
export function naiveSubtreeHolds(
  start: number,
  end: number,
  size: number,
  subtreeHash: Bytes,
  proof: readonly Bytes[],
  root: Bytes,
): boolean {
  type Pair = { readonly subtree: Bytes; readonly tree: Bytes };
  const lead = (s: number, e: number, n: number, rest: readonly Bytes[], whole: boolean): Pair | undefined => {
    const last = rest.at(-1);
    if (s === 0 && e === n && whole)
      return last === undefined ? { subtree: subtreeHash, tree: subtreeHash } : undefined;
    if (last === undefined) return undefined;
    if (s === 0 && e === n) return rest.length === 1 ? { subtree: last, tree: last } : undefined;
    const k = split(n);
    const before = rest.slice(0, -1);
    if (e <= k) {
      const below = lead(s, e, k, before, whole);
      return below && { subtree: below.subtree, tree: naiveNode(below.tree, last) };
    }
    const below = k <= s ? lead(s - k, e - k, n - k, before, whole) : lead(0, e - k, n - k, before, false);
    return (
      below && { subtree: k <= s ? below.subtree : naiveNode(last, below.subtree), tree: naiveNode(last, below.tree) }
    );
  };
  if (!naiveIsSubtree(start, end) || end > size) return false;
  const reached = lead(start, end, size, proof, true);
  if (reached === undefined) return false;
  return Buffer.compare(reached.subtree, subtreeHash) === 0 && Buffer.compare(reached.tree, root) === 0;
}

/** SUB-1. */
export function naiveIsSubtree(start: number, end: number): boolean {
  if (start < 0 || start >= end) return false;
  return end - start === 1 || start % (2 * split(end - start)) === 0;
}
