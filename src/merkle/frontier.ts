/** The right edge of a Merkle tree: all that is needed to append to it, and to know its root. */

import { SteleError } from '../errors.ts';
import { hashLevel } from './batch.ts';
import { HASH_SIZE, type Hash, hashNode } from './hash.ts';
import { foldNodes, rangeNodes } from './ranges.ts';

/**
 * A tree of `size` entries, known by its peaks: the roots of the full subtrees it consists of, one for each bit that is
 * set in the size. A tree of 11 = 8 + 2 + 1 entries has the peaks MTH(D[0:8]), MTH(D[8:10]) and MTH(D[10:11]), and its
 * root is their right fold. Sizes are exact up to 2^53−1.
 */
export class Frontier {
  /** The peak of 2^level entries, at the place `level`; undefined where the size has no such bit. */
  readonly #peaks: (Hash | undefined)[] = [];
  #size = 0;

  static empty(): Frontier {
    return new Frontier();
  }

  /** The frontier of a tree of this size, whose peaks are `peaks`, largest first. Throws RangeError for another number of them. */
  static from(size: number, peaks: readonly Hash[]): Frontier {
    const nodes = rangeNodes(0, size);
    if (nodes.length !== peaks.length) {
      throw new RangeError(`a tree of ${size} entries has ${nodes.length} peaks, not ${peaks.length}`);
    }
    const frontier = new Frontier();
    for (const [i, node] of nodes.entries()) frontier.#peaks[node.level] = peaks[i];
    frontier.#size = size;
    return frontier;
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The roots of the full subtrees, largest first: the hashes of `rangeNodes(0, size)`. */
  peaks(): Hash[] {
    return this.#peaks.filter((peak) => peak !== undefined).reverse();
  }

  /** Appends entries by their packed leaf hashes. Throws `limit` beyond 2^53−1 entries, with nothing appended. */
  append(leafHashes: Uint8Array): void {
    if (leafHashes.length % HASH_SIZE !== 0) throw new RangeError(`${leafHashes.length} bytes are not packed hashes`);
    const size = grownSize(this.#size, leafHashes.length / HASH_SIZE);
    let hashes = leafHashes;
    for (let level = 0; hashes.length > 0; level++) {
      // A peak of this level is the left sibling of the first of the new hashes.
      const peak = this.#peaks[level];
      if (peak !== undefined) hashes = concat(peak, hashes);
      const paired = hashes.length - (hashes.length % (2 * HASH_SIZE));
      this.#peaks[level] = paired < hashes.length ? hashes.slice(paired) : undefined;
      hashes = hashLevel(hashes.subarray(0, paired));
    }
    this.#size = size;
  }

  /**
   * Appends 2^level entries at once, by the root of their tree. Throws RangeError unless the size is a multiple of
   * 2^level, and `limit` beyond 2^53−1 entries.
   */
  appendSubtree(level: number, hash: Hash): void {
    const width = 2 ** level;
    if (!Number.isInteger(level) || level < 0 || this.#size % width !== 0) {
      throw new RangeError(`a subtree of level ${level} does not begin at entry ${this.#size}`);
    }
    const size = grownSize(this.#size, width);
    let subtree = hash;
    let at = level;
    // As in adding one to a number: each peak that is there already makes a larger subtree with the new one.
    for (let peak = this.#peaks[at]; peak !== undefined; peak = this.#peaks[at]) {
      subtree = hashNode(peak, subtree);
      this.#peaks[at] = undefined;
      at++;
    }
    this.#peaks[at] = subtree;
    this.#size = size;
  }

  /** MTH(D[0:size]). */
  root(): Hash {
    return foldNodes(this.peaks());
  }

  /** Another frontier of the same tree, which grows on its own. */
  clone(): Frontier {
    return Frontier.from(this.#size, this.peaks());
  }
}

/** MTH of the entries with these packed leaf hashes; EMPTY_ROOT for none. */
export function rootOf(leafHashes: Uint8Array): Hash {
  const frontier = Frontier.empty();
  frontier.append(leafHashes);
  return frontier.root();
}

function grownSize(size: number, more: number): number {
  if (more <= Number.MAX_SAFE_INTEGER - size) return size + more;
  throw new SteleError('limit', `a tree of ${size} entries cannot grow by ${more}: its size would exceed 2^53−1`);
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}
