/**
 * The latest entries by leaf hash: index of the first equal entry within the window (DESIGN §5).
 *
 * Whole 32-byte hashes are compared (DEDUP-9). Generations of `capacity` each, forgotten as a whole when they lie more
 * than `capacity` below what is published: so what is taken back leaves the window as wide as it was, and nothing is
 * ever deleted one by one. Slots are chosen with a secret seed, because submitters choose the hashes.
 */

import { Generation, WORDS } from './dedup-generation.ts';

/** A view of packed hashes as 32-bit words, copied only where alignment asks for it. */
export function hashWords(hashes: Uint8Array): Int32Array {
  const aligned = hashes.byteOffset % 4 === 0 ? hashes : hashes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / 4));
}

export class DedupWindow {
  readonly capacity: number;
  /** Entries below this index are remembered elsewhere; all others are kept, however wide the window becomes. */
  keptFrom = Number.POSITIVE_INFINITY;
  readonly #seed: Int32Array;
  /** Full ones, in order; all of them lie before the youngest. */
  #older: Generation[] = [];
  #younger: Generation;

  /** Knows nothing yet; the first `push` is index `first`. `seed`: 8 random bytes. */
  constructor(capacity: number, first: number, seed: Uint8Array) {
    this.capacity = capacity;
    this.#seed = hashWords(seed);
    this.#younger = new Generation(first, this.#seed, 0);
  }

  /** The first index that is known. */
  get start(): number {
    return (this.#older[0] ?? this.#younger).first;
  }

  /** The index that the next `push` stands for. */
  get end(): number {
    return this.#younger.first + this.#younger.count;
  }

  /** The first index with the leaf hash at `words[8 * i]`, if it is within the window. */
  find(words: Int32Array, i: number): number | undefined {
    for (const generation of this.#older) {
      const index = generation.find(words, i * WORDS);
      if (index !== undefined) return index;
    }
    return this.#younger.find(words, i * WORDS);
  }

  push(words: Int32Array, i: number): void {
    if (this.#younger.count >= this.capacity) {
      this.#older.push(this.#younger);
      this.#younger = new Generation(this.end, this.#seed, this.capacity);
    }
    this.#younger.push(words, i * WORDS);
  }

  /** Forgets every index from `size` on: what was pushed for a commit that did not come about. Not below `start`. */
  truncate(size: number): void {
    if (size < this.start) throw new RangeError(`${size} is before ${this.start}, the first index that is known`);
    while (size < this.#younger.first) this.#younger = this.#older.pop() ?? this.#younger;
    this.#younger.truncate(size - this.#younger.first);
  }

  /** `size` is published, nothing below it will be truncated: forgets what the window need not reach back to. */
  release(size: number): void {
    const end = Math.min(size - this.capacity, this.keptFrom);
    while ((this.#older[1] ?? this.#younger).first <= end && this.#older.length > 0) this.#older.shift();
  }

  /** The leaf hashes of the known entries [from, to), packed. */
  hashes(from: number, to: number): Uint8Array {
    if (from < this.start || to > this.end) throw new RangeError(`[${from}, ${to}) is not within the window`);
    return Buffer.concat([...this.#older, this.#younger].map((generation) => generation.hashes(from, to)));
  }
}
