/**
 * entry: what may be logged. A proposal arrives as JSON by the rules of Rekor v2 (tiles-spec/entries.md), is parsed
 * strictly, has every signature checked, and becomes an entry: its canonical body (RFC 8785), which is the leaf, and the
 * keys that it can be found by. Kinds of entries and formats of keys are registries of one file each. Nothing that an entry
 * contains is ever fetched, and nobody's certificate chain is judged: a log records, verifiers decide.
 *
 * Runs unchanged in a browser; OpenSSL's arithmetic and the threads are Node's.
 */

export { type HashName, hashSignedBy, keyDetailsOf } from './algorithms.ts';
export { type Certificate, parseCertificate } from './certificate.ts';
export {
  formatLogEntry,
  type LogEntryClaim,
  type LogEntryJson,
  type ProvenEntry,
  parseLogEntry,
  type VerifiedLogEntry,
  verifyLogEntry,
} from './log-entry.ts';
export { checkLoggedSignatures, type LoggedEntry, readEntry } from './logged.ts';
export type { LookupKey } from './lookup.ts';
export { preAuthenticationEncoding } from './pae.ts';
export { openVerifierPool, POOL_DEFAULTS, type VerifierPool, type VerifierPoolOptions } from './pool.ts';
export {
  ENTRY_KINDS,
  PROPOSAL_DEFAULTS,
  type Proposal,
  type ProposalOptions,
  parseProposal,
  type ValidEntry,
  validate,
} from './proposal.ts';
export { type PublicKey, parsePublicKey } from './public-key.ts';
export { type SignatureCheck, type VerifySignature, verifySignature } from './signature.ts';
