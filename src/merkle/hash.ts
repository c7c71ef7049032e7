/** RFC 6962 §2.1, one hash at a time. */

import { sha256 } from '#sha256';

/** A SHA-256 hash: 32 bytes. */
export type Hash = Uint8Array;

/** Length of a hash in bytes. */
export const HASH_SIZE = 32;

/** What a leaf's hash begins with, so that no entry can pass for an interior node. */
export const LEAF_PREFIX = 0;

/** What an interior node's hash begins with. */
export const NODE_PREFIX = 1;

/** MTH({}), the root of the tree without entries: the hash of nothing. */
export const EMPTY_ROOT: Hash = sha256(new Uint8Array(0));

/** MTH({entry}): SHA-256(0x00 ‖ entry). */
export function hashLeaf(entry: Uint8Array): Hash {
  const message = new Uint8Array(1 + entry.length);
  message[0] = LEAF_PREFIX;
  message.set(entry, 1);
  return sha256(message);
}

/** The hash of an interior node: SHA-256(0x01 ‖ left ‖ right). */
export function hashNode(left: Hash, right: Hash): Hash {
  const message = new Uint8Array(1 + 2 * HASH_SIZE);
  message[0] = NODE_PREFIX;
  message.set(left, 1);
  message.set(right, 1 + HASH_SIZE);
  return sha256(message);
}

/** Whether two byte strings are the same. Not in constant time: hashes of public entries are no secret. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
