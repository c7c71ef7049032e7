import { createCipheriv } from 'node:crypto';

/** How much of the key stream is made at a time, in bytes: bounds the cipher's temporary copies. */
const CHUNK_BYTES = 16 * 1024 * 1024;

/** An entry's number takes this many of its first bytes, or all of a shorter entry. */
const NUMBER_BYTES = 8;

/**
 * Makes `count` distinct entries of `size` bytes, one after another: an AES-128-CTR key stream under the seed, in which
 * each entry's first eight (or fewer) bytes are its number, little endian. bench/tessera/entries.go makes the very same
 * bytes, so that two programs can be asked for one tree and must name one root.
 */
export function makeEntryBytes(count: number, size: number, seed: number): Uint8Array {
  if (size < NUMBER_BYTES && count > 256 ** size) {
    throw new RangeError(`There are no ${count} distinct entries of ${size} bytes.`);
  }
  const bytes = keyStream(count * size, seed);
  const number = new Uint8Array(NUMBER_BYTES);
  for (let index = 0; index < count; index++) {
    new DataView(number.buffer).setBigUint64(0, BigInt(index), true);
    bytes.set(number.subarray(0, Math.min(size, NUMBER_BYTES)), index * size);
  }
  return bytes;
}

/** The same entries, as views of one buffer. */
export function makeEntries(count: number, size: number, seed: number): readonly Uint8Array[] {
  const bytes = makeEntryBytes(count, size, seed);
  return Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size));
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
