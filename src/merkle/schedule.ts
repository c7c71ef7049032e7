/** The message schedule of SHA-256 in plain numbers, for blocks that are known beforehand. */

import { HASH_SIZE } from './hash.ts';

const ROUNDS = 64;

/** FIPS 180-4 §6.2.2, step 1: the 64 words W of a block of 16. */
export function messageSchedule(block: ArrayLike<number>): Uint32Array {
  const words = new Uint32Array(ROUNDS);
  words.set(block);
  for (let t = 16; t < ROUNDS; t++) {
    const [w2 = 0, w7 = 0, w15 = 0, w16 = 0] = [words[t - 2], words[t - 7], words[t - 15], words[t - 16]];
    const sigma0 = rotated(w15, 7) ^ rotated(w15, 18) ^ (w15 >>> 3);
    const sigma1 = rotated(w2, 17) ^ rotated(w2, 19) ^ (w2 >>> 10);
    words[t] = sigma1 + w7 + sigma0 + w16;
  }
  return words;
}

/**
 * The schedules of the second block of an interior node, by the last byte of its right child: all that this block has of
 * the message 0x01 ‖ left ‖ right, and so there are 256 of them. One after the other.
 */
export function tailSchedules(): Uint32Array {
  const messageBits = 8 * (1 + 2 * HASH_SIZE);
  const schedules = new Uint32Array(256 * ROUNDS);
  const block = new Uint32Array(16);
  block[15] = messageBits;
  for (let byte = 0; byte < 256; byte++) {
    block[0] = (byte << 24) | (0x80 << 16);
    schedules.set(messageSchedule(block), byte * ROUNDS);
  }
  return schedules;
}

function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
