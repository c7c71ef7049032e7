/** Verification of proofs. They are untrusted: whatever is wrong with one, it is an `invalid-proof`. */

import { SteleError } from '../errors.ts';
import { EMPTY_ROOT, equalBytes, HASH_SIZE, type Hash, hashNode } from './hash.ts';
import { descent, isValidSubtree } from './ranges.ts';

/** That the entry with this leaf hash is entry `index` of the tree of `size` entries with this root. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Hash;
  readonly proof: readonly Hash[];
  readonly root: Hash;
}

/** That the tree of `newSize` entries begins with all the entries of the tree of `oldSize`. */
export interface ConsistencyProof {
  readonly oldSize: number;
  readonly newSize: number;
  readonly oldRoot: Hash;
  readonly newRoot: Hash;
  readonly proof: readonly Hash[];
}

/** That `subtreeHash` is MTH(D[start:end]) of the tree of `size` entries with this root. */
export interface SubtreeProof {
  readonly start: number;
  readonly end: number;
  readonly size: number;
  readonly subtreeHash: Hash;
  readonly proof: readonly Hash[];
  readonly root: Hash;
}

/** Verifies an inclusion proof (RFC 6962 §2.1.1). Throws `invalid-proof`. */
export function verifyInclusion({ index, size, leafHash, proof, root }: InclusionProof): void {
  const subject = `the proof that entry ${index} is in the tree of ${size}`;
  verify(subject, { start: index, end: index + 1, size, subtreeHash: leafHash, proof, root });
}

/**
 * Verifies a consistency proof (RFC 6962 §2.1.2). Every tree extends the empty one: then the proof must be empty and the
 * old root EMPTY_ROOT. Throws `invalid-proof`.
 */
export function verifyConsistency({ oldSize, newSize, oldRoot, newRoot, proof }: ConsistencyProof): void {
  const subject = `the proof that the tree of ${newSize} entries extends that of ${oldSize}`;
  if (oldSize !== 0) {
    verify(subject, { start: 0, end: oldSize, size: newSize, subtreeHash: oldRoot, proof, root: newRoot });
    return;
  }
  if (!Number.isSafeInteger(newSize) || newSize < 0) throw invalid(subject, 'there is no tree of that size');
  if (proof.length > 0) throw invalid(subject, `it has ${proof.length} hashes where none are needed`);
  if (!equalBytes(oldRoot, EMPTY_ROOT)) throw invalid(subject, 'the old root is not that of the empty tree');
  if (newSize === 0 && !equalBytes(newRoot, EMPTY_ROOT)) {
    throw invalid(subject, 'the new root is not that of the empty tree');
  }
}

/** Verifies a subtree consistency proof (SUB-4; draft-ietf-plants-merkle-tree-certs-03 §4.4). Throws `invalid-proof`. */
export function verifySubtree(claim: SubtreeProof): void {
  verify(`the proof that [${claim.start}, ${claim.end}) is a subtree of the tree of ${claim.size}`, claim);
}

/** All three are this one: a consistency proof is of the subtree from 0, an inclusion proof of a subtree of one entry. */
function verify(subject: string, { start, end, size, subtreeHash, proof, root }: SubtreeProof): void {
  if (!Number.isSafeInteger(size)) throw invalid(subject, 'there is no tree of that size');
  if (!isValidSubtree(start, end)) throw invalid(subject, `[${start}, ${end}) is not a subtree of any tree`);
  if (end > size) throw invalid(subject, `the tree ends at ${size}`);

  const { turns, rest } = descent(start, end, size);
  const expected = turns.length + (rest === undefined ? 0 : 1);
  if (proof.length !== expected) throw invalid(subject, `it has ${proof.length} hashes instead of ${expected}`);
  for (const hash of [subtreeHash, root, ...proof]) {
    if (hash.length !== HASH_SIZE)
      throw invalid(subject, `a hash in it has ${hash.length} bytes instead of ${HASH_SIZE}`);
  }

  // From the bottom up, both at once: the subtree, of which a split supplies the left half, and the tree around it.
  const hashes = proof.values();
  let subtree = rest === undefined ? subtreeHash : next(hashes);
  let tree = subtree;
  for (const turn of turns.toReversed()) {
    const away = next(hashes);
    tree = turn.away === 'right' ? hashNode(tree, away) : hashNode(away, tree);
    if (turn.away === 'split') subtree = hashNode(away, subtree);
  }
  if (!equalBytes(subtree, subtreeHash)) throw invalid(subject, 'it leads to another hash of the subtree');
  if (!equalBytes(tree, root)) throw invalid(subject, 'it leads to another root');
}

function next(hashes: Iterator<Hash>): Hash {
  const { value, done } = hashes.next();
  if (done === true) throw new RangeError('the hashes of a proof were counted before');
  return value;
}

function invalid(subject: string, why: string): SteleError {
  return new SteleError('invalid-proof', `${subject} does not verify: ${why}`);
}
