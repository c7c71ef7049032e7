/**
 * note: what is signed, and with what. Signed notes (c2sp.org/signed-note), their keys, checkpoints
 * (c2sp.org/tlog-checkpoint) and proof files (c2sp.org/tlog-proof). Pure: it runs unchanged in a browser; the two
 * signature algorithms have one file for each platform. Parsing is strict: what a parser accepts re-encodes to the same
 * bytes, the trailing bits of signatures excepted (ENC-6).
 */

export {
  type Checkpoint,
  formatCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  type SignedCheckpoint,
} from './checkpoint.ts';
export { atobBytes, fromBase64, parseDecimal, toBase64 } from './encoding.ts';
export { generateKey, hexId, parseSignerKey, parseVerifierKey, type Signer, type Verifier } from './keys.ts';
export { logIdOf, subjectPublicKeyInfo } from './log-id.ts';
export { isKeyName, validateOrigin } from './name.ts';
export {
  addSignatures,
  formatNote,
  type Note,
  type NoteSignature,
  type OpenedNote,
  openNote,
  parseNote,
  signNote,
} from './note.ts';
export { formatProof, type Proof, parseProof, verifyProof } from './proof.ts';
export { openSuccessor, type Successor, signSuccessor } from './successor.ts';
