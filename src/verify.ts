/** `stele/verify`: check proofs, checkpoints and keys offline. Pure: no network, no file, runs anywhere. */

export { type ErrorCode, isSteleError, SteleError } from './errors.ts';
export { hashLeaf, verifyConsistency, verifyInclusion } from './merkle/index.ts';
export {
  openCheckpoint,
  openNote,
  parseProof,
  parseVerifierKey,
  type SignedCheckpoint,
  type Verifier,
  verifyProof,
} from './note/index.ts';
