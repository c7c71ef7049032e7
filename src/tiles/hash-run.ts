/** Consecutive hashes of one level, packed: what the writer holds of it, up to the last hash there is. */

import { HASH_SIZE, type Hash, rootOf } from '../merkle/index.ts';
import { TILE_WIDTH } from './tile.ts';

/** Bytes of capacity that are kept although far fewer are in use, for the next batches: 32,768 hashes. */
const KEPT_CAPACITY = 2 ** 20;

/** The root of the full subtree over hashes [start, end). */
interface Peak {
  readonly start: number;
  readonly end: number;
  readonly hash: Hash;
}

export class HashRun {
  /** Hash number `#from` is at byte `#offset`, the others follow it. `#to` is the number of hashes on the level. */
  #bytes = new Uint8Array(0);
  #offset = 0;
  #from: number;
  #to: number;
  /** What `peaks` last found: still the roots of these hashes, as long as none of them is truncated. */
  #peaks: readonly Peak[] = [];

  /** Holds nothing yet; the first hash pushed is number `from`, a multiple of 256. */
  constructor(from: number) {
    this.#from = from;
    this.#to = from;
  }

  /** Number of the first hash held. */
  get from(): number {
    return this.#from;
  }

  /** How many hashes the level has, held or not. */
  get to(): number {
    return this.#to;
  }

  push(hashes: Uint8Array): void {
    const held = (this.#to - this.#from) * HASH_SIZE;
    this.#makeRoom(held, hashes.length);
    this.#bytes.set(hashes, this.#offset + held);
    this.#to += hashes.length / HASH_SIZE;
  }

  /** Hashes [start, end), all of them held, as a view that the next change makes stale. */
  view(start: number, end: number): Uint8Array {
    const first = this.#offset + (start - this.#from) * HASH_SIZE;
    return this.#bytes.subarray(first, first + (end - start) * HASH_SIZE);
  }

  /** Forgets the hashes from number `to` on: they were never there. */
  truncate(to: number): void {
    this.#to = to;
    this.#peaks = this.#peaks.filter(({ end }) => end <= to);
  }

  /** Stops holding the hashes below number `from`, a multiple of 256. */
  release(from: number): void {
    this.#offset += (from - this.#from) * HASH_SIZE;
    this.#from = from;
    const held = (this.#to - from) * HASH_SIZE;
    if (this.#bytes.length > KEPT_CAPACITY && this.#bytes.length > 8 * held) {
      this.#bytes = this.#bytes.slice(this.#offset, this.#offset + held);
      this.#offset = 0;
    }
  }

  /**
   * Roots of the full subtrees that the partial tile at the end consists of, largest first. At most 255 hashes of work,
   * less where the larger subtrees are those of last time.
   */
  peaks(): readonly Hash[] {
    const peaks: Peak[] = [];
    let start = this.#to - (this.#to % TILE_WIDTH);
    for (let span = TILE_WIDTH / 2; span >= 1; span /= 2) {
      const end = start + span;
      if (end > this.#to) continue;
      const known = this.#peaks.find((peak) => peak.start === start && peak.end === end);
      peaks.push(known ?? { start, end, hash: rootOf(this.view(start, end)) });
      start = end;
    }
    this.#peaks = peaks;
    return peaks.map(({ hash }) => hash);
  }

  #makeRoom(held: number, more: number): void {
    const needed = held + more;
    if (this.#offset + needed <= this.#bytes.length) return;
    // Half the capacity or more was used up since the hashes were last moved, so each is moved about once.
    if (2 * needed <= this.#bytes.length) this.#bytes.copyWithin(0, this.#offset, this.#offset + held);
    else {
      const bytes = new Uint8Array(2 * needed);
      bytes.set(this.#bytes.subarray(this.#offset, this.#offset + held));
      this.#bytes = bytes;
    }
    this.#offset = 0;
  }
}
