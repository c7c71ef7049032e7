import { createCipheriv } from 'node:crypto';

/** How much of the key stream is made at a time, in bytes: bounds the cipher's temporary copies. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** An entry's number takes this many of its first bytes, or all of a shorter entry. */
const NUMBER_BYTES = 8;

export interface MadeEntries {
  /** All entries, one after another, without anything between them. */
  readonly bytes: Uint8Array;
  /** Views of `bytes`, one per entry. */
  readonly entries: readonly Uint8Array[];
}

/**
 * Makes `count` distinct entries of `size` bytes: an AES-128-CTR key stream under the seed, in which each entry's
 * first eight (or fewer) bytes are its number, little endian. bench/tessera/entries.go makes the very same bytes, so
 * that two programs can be asked for one tree and must name one root.
 */
export function makeEntries(count: number, size: number, seed: number): MadeEntries {
  if (size < NUMBER_BYTES && count > 256 ** size) {
    throw new RangeError(`There are no ${count} distinct entries of ${size} bytes.`);
  }
  const bytes = keyStream(count * size, seed);
  const number = new Uint8Array(NUMBER_BYTES);
  const entries = Array.from({ length: count }, (_, index) => {
    const entry = bytes.subarray(index * size, (index + 1) * size);
    new DataView(number.buffer).setBigUint64(0, BigInt(index), true);
    entry.set(number.subarray(0, Math.min(size, NUMBER_BYTES)));
    return entry;
  });
  return { bytes, entries };
}

function keyStream(length: number, seed: number): Uint8Array {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setBigUint64(0, BigInt(seed), true);
  const cipher = createCipheriv('aes-128-ctr', key, new Uint8Array(16));
  const zeros = new Uint8Array(Math.min(length, CHUNK_BYTES));
  const stream = new Uint8Array(length);
  for (let at = 0; at < length; at += CHUNK_BYTES) {
    stream.set(cipher.update(zeros.subarray(0, Math.min(CHUNK_BYTES, length - at))), at);
  }
  return stream;
}
