/** SHA-256 of one message, where there is no Node: in JavaScript, because the Web's own is only asynchronous. */

export { sha256 } from '@noble/hashes/sha2.js';

/** Entries up to this length are hashed four at a time by the kernel: all of them, for it is faster at any length. */
export const BATCHED_LENGTH = 65_535;
