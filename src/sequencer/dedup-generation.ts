/**
 * Consecutive entries by leaf hash: where a hash was first. Hashes are written down in order; an open-addressed table
 * finds them.
 *
 * Made for new entries, at hundreds of thousands a second, and a table of many megabytes in which every access misses the
 * caches. So a filter that the caches do hold tells of nearly every new hash that it is new; and what is pushed is put
 * into the table later, many in one short loop, the misses of which the processor overlaps.
 */

/** 32-bit words of a hash. */
export const WORDS = 8;

/** Of the table: what a hash is mixed to, so that other hashes are seldom looked at, and its ordinal plus one; zero: free. */
const SLOT_WORDS = 2;

/** Slots for each hash there is room for, so that chains are short. */
const SLOTS_PER_HASH = 2;

/** Hashes for each word of the filter: sixteen bits for one, of which two are set. */
const HASHES_PER_FILTER_WORD = 2;

/** Room in a new generation; doubled when it is used up. */
const MIN_ROOM = 1_024;

/** What is pushed goes to the table at the latest when it is so many: few enough to be in the caches still. */
const MAX_PENDING = 1_024;

export class Generation {
  /** Index of the first entry. */
  readonly first: number;
  readonly #s0: number;
  readonly #s1: number;
  /** Hashes by ordinal. */
  #words: Int32Array;
  #count = 0;
  /** In the table are the ordinals below `#tabled`, put there in their order. */
  #slots: Int32Array;
  #tabled = 0;
  /** Of every hash, in the table or not, both bits are set; of others seldom. */
  #filter: Int32Array;

  /** `expected`: how many will come, most likely. `seed`: two secret words, because submitters choose the hashes. */
  constructor(first: number, seed: Int32Array, expected: number) {
    this.first = first;
    this.#s0 = seed[0] ?? 0;
    this.#s1 = seed[1] ?? 0;
    const room = Math.max(MIN_ROOM, 2 ** Math.ceil(Math.log2(expected)));
    this.#words = new Int32Array(room * WORDS);
    this.#slots = new Int32Array(room * SLOTS_PER_HASH * SLOT_WORDS);
    this.#filter = new Int32Array(room / HASHES_PER_FILTER_WORD);
  }

  get count(): number {
    return this.#count;
  }

  /** Index of the first entry with the hash at `words[at]`. */
  find(words: Int32Array, at: number): number | undefined {
    const mix = this.#mix(words, at);
    const filter = this.#filter;
    const bits = bitsOf(mix);
    if (((filter[mix & (filter.length - 1)] ?? 0) & bits) !== bits) return undefined;
    this.#settle();
    const ordinal = this.#slots[this.#place(words, at, mix) + 1] ?? 0;
    return ordinal === 0 ? undefined : this.first + ordinal - 1;
  }

  push(words: Int32Array, at: number): void {
    if (this.#count * WORDS === this.#words.length) this.#grow();
    const own = this.#words;
    const to = this.#count * WORDS;
    for (let k = 0; k < WORDS; k++) own[to + k] = words[at + k] ?? 0;
    this.#mark(to);
    this.#count += 1;
    if (this.#count - this.#tabled === MAX_PENDING) this.#settle();
  }

  /** Of the indices [from, to), those that are in this generation. */
  hashes(from: number, to: number): Uint8Array {
    const start = Math.min(Math.max(from - this.first, 0), this.#count);
    const end = Math.min(Math.max(to - this.first, start), this.#count);
    const words = this.#words.subarray(start * WORDS, end * WORDS);
    return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  /**
   * Forgets every ordinal from `count` on. The filter goes on to say "perhaps" of them: it may, and nearly all of what is
   * taken back comes again.
   */
  truncate(count: number): void {
    if (count >= this.#count) return;
    // Taken out of the table in the opposite order, they leave behind the table as it was before they were put there.
    for (let ordinal = this.#tabled - 1; ordinal >= count; ordinal--) {
      const at = ordinal * WORDS;
      const place = this.#place(this.#words, at, this.#mix(this.#words, at)) + 1;
      if (this.#slots[place] === ordinal + 1) this.#slots[place] = 0;
    }
    this.#tabled = Math.min(this.#tabled, count);
    this.#count = count;
  }

  /** Makes twice the room. */
  #grow(): void {
    const words = new Int32Array(this.#words.length * 2);
    words.set(this.#words);
    this.#words = words;
    this.#slots = new Int32Array(this.#slots.length * 2);
    this.#filter = new Int32Array(this.#filter.length * 2);
    for (let ordinal = 0; ordinal < this.#count; ordinal++) this.#mark(ordinal * WORDS);
    this.#tabled = 0;
    this.#settle();
  }

  /** Puts into the table what is not there yet. The first of equal hashes keeps its slot. */
  #settle(): void {
    const words = this.#words;
    const slots = this.#slots;
    for (let ordinal = this.#tabled; ordinal < this.#count; ordinal++) {
      const at = ordinal * WORDS;
      const mix = this.#mix(words, at);
      const slot = this.#place(words, at, mix);
      if (slots[slot + 1] !== 0) continue;
      slots[slot] = mix;
      slots[slot + 1] = ordinal + 1;
    }
    this.#tabled = this.#count;
  }

  #mix(words: Int32Array, at: number): number {
    const mix =
      Math.imul((words[at] ?? 0) ^ this.#s0, 0x9e3779b1) ^ Math.imul((words[at + 1] ?? 0) ^ this.#s1, 0x85ebca6b);
    return mix ^ (mix >>> 15);
  }

  /** Tells the filter of a hash of ours. */
  #mark(at: number): void {
    const mix = this.#mix(this.#words, at);
    const filter = this.#filter;
    const place = mix & (filter.length - 1);
    filter[place] = (filter[place] ?? 0) | bitsOf(mix);
  }

  /** The slot that holds an equal hash, or the free one where it would go. */
  #place(words: Int32Array, at: number, mix: number): number {
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

/** The two bits of a hash in its word of the filter. */
function bitsOf(mix: number): number {
  return (1 << (mix >>> 27)) | (1 << (Math.imul(mix, 0x9e3779b1) >>> 27));
}
