/** What a PKI format is: one way in which a proposal can say whose signature it carries. */

import type { LookupKey } from './lookup.ts';
import type { PublicKey } from './public-key.ts';

export interface KeyFormat {
  /** The field of the verifier message that holds the key, and of the log entry. */
  readonly field: string;
  /** Reads the bytes of that field. Throws `malformed`, naming `what`, for any that are not one key of this format. */
  read(rawBytes: Uint8Array, what: string): { readonly key: PublicKey; readonly keys: readonly LookupKey[] };
}
