/**
 * The latest entries by leaf hash: index of the first equal entry within the window (DESIGN §5).
 *
 * Whole 32-byte hashes are compared (DEDUP-9). Generations of `capacity` each, forgotten as a whole when they lie more
 * than `capacity` below what is published: so what is taken back leaves the window as wide as it was, and nothing is
 * ever deleted one by one. Slots are chosen with a secret seed, because submitters choose the hashes.
 */

const WORDS = 8;

/** A view of packed hashes as 32-bit words, copied only where alignment asks for it. */
export function hashWords(hashes: Uint8Array): Int32Array {
  const aligned = hashes.byteOffset % 4 === 0 ? hashes : hashes.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / 4));
}

/** Of an open-addressed table: what a hash is mixed to, and its ordinal plus one; zero for a free slot. */
const SLOT_WORDS = 2;

/** Hashes of consecutive indices from `first` on, findable. */
class Generation {
  readonly first: number;
  count = 0;
  readonly #seed: Int32Array;
  #words = new Int32Array(1_024 * WORDS);
  /** The mix is in the table so that a look at a slot is seldom a look at a hash elsewhere, which no cache holds. */
  #slots = new Int32Array(4_096 * SLOT_WORDS);

  constructor(first: number, seed: Int32Array) {
    this.first = first;
    this.#seed = seed;
  }

  find(words: Int32Array, at: number): number | undefined {
    const ordinal = this.#slots[this.#probe(words, at, this.#mix(words, at)) + 1] ?? 0;
    return ordinal === 0 ? undefined : this.first + ordinal - 1;
  }

  push(words: Int32Array, at: number): void {
    if ((this.count + 1) * WORDS > this.#words.length) {
      const grown = new Int32Array(this.#words.length * 2);
      grown.set(this.#words);
      this.#words = grown;
    }
    const to = this.count * WORDS;
    for (let k = 0; k < WORDS; k++) this.#words[to + k] = words[at + k] ?? 0;
    this.count += 1;
    if (this.count * 2 * SLOT_WORDS > this.#slots.length) this.#grow();
    this.#insert(this.count - 1);
  }

  /** Of the indices [from, to), those that are in this generation. */
  hashes(from: number, to: number): Uint8Array {
    const start = Math.min(Math.max(from - this.first, 0), this.count);
    const end = Math.min(Math.max(to - this.first, start), this.count);
    const words = this.#words.subarray(start * WORDS, end * WORDS);
    return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  truncate(count: number): void {
    if (count >= this.count) return;
    this.count = count;
    this.#slots.fill(0);
    for (let ordinal = 0; ordinal < count; ordinal++) this.#insert(ordinal);
  }

  /** Into a table twice as long. What is in the old one is distinct, and in the order of its places: no hash is looked at. */
  #grow(): void {
    const old = this.#slots;
    const slots = new Int32Array(old.length * 2);
    const mask = slots.length - 1;
    for (let i = 0; i < old.length; i += SLOT_WORDS) {
      const mix = old[i] ?? 0;
      const ordinal = old[i + 1] ?? 0;
      if (ordinal === 0) continue;
      let slot = Math.imul(mix, SLOT_WORDS) & mask;
      while (slots[slot + 1] !== 0) slot = (slot + SLOT_WORDS) & mask;
      slots[slot] = mix;
      slots[slot + 1] = ordinal;
    }
    this.#slots = slots;
  }

  /** The first of equal entries keeps its slot. */
  #insert(ordinal: number): void {
    const at = ordinal * WORDS;
    const mix = this.#mix(this.#words, at);
    const slot = this.#probe(this.#words, at, mix);
    if (this.#slots[slot + 1] !== 0) return;
    this.#slots[slot] = mix;
    this.#slots[slot + 1] = ordinal + 1;
  }

  #mix(words: Int32Array, at: number): number {
    const [s0 = 0, s1 = 0] = this.#seed;
    const mix = Math.imul((words[at] ?? 0) ^ s0, 0x9e3779b1) ^ Math.imul((words[at + 1] ?? 0) ^ s1, 0x85ebca6b);
    return mix ^ (mix >>> 15);
  }

  /** The slot that holds an equal hash, or the free one where it would go. */
  #probe(words: Int32Array, at: number, mix: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = Math.imul(mix, SLOT_WORDS) & mask; ; slot = (slot + SLOT_WORDS) & mask) {
      const ordinal = slots[slot + 1] ?? 0;
      if (ordinal === 0 || (slots[slot] === mix && this.#equal((ordinal - 1) * WORDS, words, at))) return slot;
    }
  }

  #equal(own: number, words: Int32Array, at: number): boolean {
    for (let k = 0; k < WORDS; k++) if (this.#words[own + k] !== words[at + k]) return false;
    return true;
  }
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
    this.#younger = new Generation(first, this.#seed);
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
      this.#younger = new Generation(this.end, this.#seed);
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
