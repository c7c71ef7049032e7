/** What an entry kind is: how a proposal of it is read, proven and written down. */

import type { LookupKey } from './lookup.ts';
import type { Field } from './protojson.ts';
import type { VerifySignature } from './signature.ts';

export interface EntryKind {
  readonly kind: string;
  readonly apiVersion: string;
  /** The field of the request that holds a proposal of this kind. */
  readonly field: string;
  /** Throws `malformed` or `limit`, saying where, for a proposal that no signature could save. */
  read(field: Field, rules: EntryRules): Prepared;
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
