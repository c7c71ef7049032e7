/** What an entry kind is: how a proposal of it is read, proven and written down. */

import type { HashName } from './algorithms.ts';
import type { LookupKey } from './lookup.ts';
import type { Field } from './protojson.ts';
import type { VerifySignature } from './signature.ts';
import type { EntryVerifier } from './verifier.ts';

export interface EntryKind {
  readonly kind: string;
  readonly apiVersion: string;
  /** The field of the request that holds a proposal of this kind. */
  readonly field: string;
  /** Throws `malformed` or `limit`, saying where, for a proposal that no signature could save. */
  read(field: Field, rules: EntryRules): Prepared;
  /** Reads `spec` of a logged entry back. Absent: entries of this kind are bytes of any kind. Throws `malformed`. */
  readLogged?(spec: Field): LoggedFacts;
}

/** What a logged entry says. */
export interface LoggedFacts {
  /** What was signed, or what the signed envelope carries. */
  readonly digest: { readonly hash: HashName; readonly bytes: Uint8Array };
  readonly signatures: readonly { readonly bytes: Uint8Array; readonly verifier: EntryVerifier }[];
  /** Whether the signatures are over `digest` itself, so that the entry alone shows whether they are right. */
  readonly signsDigest: boolean;
}

export interface EntryRules {
  /** Bytes of a DSSE payload, decoded. */
  readonly maxPayloadBytes: number;
  /** The kinds that there are, taken by this log or not. */
  readonly knownKinds: readonly string[];
}

/** A proposal that is well formed; whether its signatures are right is not known yet. */
export interface Prepared {
  /** Checks every signature. Throws `invalid-proof` when one is wrong, and `limit` when the entry would be too long. */
  prove(verify: VerifySignature): Promise<Proven>;
}

export interface Proven {
  /** What is logged: the leaf's preimage, at most 65,535 bytes. */
  readonly body: Uint8Array;
  readonly keys: readonly LookupKey[];
}
