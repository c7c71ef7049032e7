/**
 * Merkle trees of transparency logs, after RFC 6962 §2.1: hashing one entry or many, the right edge of a growing tree,
 * and proofs of inclusion, of consistency, and of subtrees (draft-ietf-plants-merkle-tree-certs-03 §4). Pure: no input
 * or output, and the same in Node and a browser. Sizes and indices are exact up to 2^53−1.
 */

export { sha256, sha256Pieces } from '#sha256';
export { hashLeaves, hashLevel } from './batch.ts';
export { Frontier, rootOf } from './frontier.ts';
export { EMPTY_ROOT, equalBytes, HASH_SIZE, type Hash, hashLeaf, hashNode } from './hash.ts';
export { kernelModule, useKernelModule } from './kernel.ts';
export {
  consistencyRanges,
  foldNodes,
  inclusionRanges,
  isValidSubtree,
  type Node,
  type Range,
  rangeNodes,
  subtreeRanges,
} from './ranges.ts';
export {
  type ConsistencyProof,
  type InclusionProof,
  type SubtreeProof,
  verifyConsistency,
  verifyInclusion,
  verifySubtree,
} from './verify.ts';
