/** SHA-256 of one message, where there is no Node: in JavaScript, because the Web's own is only asynchronous. */

import { sha256 } from '@noble/hashes/sha2.js';

export { sha256 };

/** Entries up to this length are hashed four at a time by the kernel: all of them, for it is faster at any length. */
export const BATCHED_LENGTH = 65_535;

/** SHA-256 of the pieces, one after another. */
export function sha256Pieces(pieces: readonly Uint8Array[]): Uint8Array {
  const digest = sha256.create();
  for (const piece of pieces) digest.update(piece);
  return digest.digest();
}
