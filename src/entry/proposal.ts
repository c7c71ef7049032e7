/** From a request's bytes to an entry: parse, then validate. Nothing that an entry contains is ever fetched. */

import { SteleError } from '../errors.ts';
import { parseJson } from './json.ts';
import type { Prepared, Proven } from './kind.ts';
import { KINDS } from './kinds.ts';
import { readMessage, readOneOf } from './protojson.ts';
import type { VerifySignature } from './signature.ts';

export interface ProposalOptions {
  /** Names of the kinds that this log takes. */
  readonly kinds: readonly string[];
  /** Bytes of the payload of a dsse envelope, decoded. */
  readonly maxPayloadBytes: number;
}

/** hashedrekord alone, as upstream since v2.3.0. An envelope of 1 MiB is hashed in 2 ms and held in memory a few times. */
export const PROPOSAL_DEFAULTS: ProposalOptions = { kinds: ['hashedrekord'], maxPayloadBytes: 2 ** 20 };

/** The kinds that there are, with the versions of their entries. */
export const ENTRY_KINDS: readonly { readonly kind: string; readonly apiVersion: string }[] = KINDS.map(
  ({ kind, apiVersion }) => ({ kind, apiVersion }),
);

/** A proposal that is well formed and whose signatures nobody has checked: `validate` makes the entry of it. */
export interface Proposal {
  readonly kind: string;
  readonly apiVersion: string;
  readonly prepared: Prepared;
}

/** An entry that may be logged. */
export interface ValidEntry extends Proven {
  readonly kind: string;
  readonly apiVersion: string;
}

/**
 * Reads a CreateEntryRequest: one proposal, as protojson. Throws `malformed` for what is not one, for a kind that the
 * log does not take, for keys, certificates and digests that do not fit; and `limit` for an envelope that is too large.
 * The message says which field and why. How long a request may be is for the caller, who has read it.
 */
export function parseProposal(request: Uint8Array, options: Partial<ProposalOptions> = {}): Proposal {
  const { kinds, maxPayloadBytes } = { ...PROPOSAL_DEFAULTS, ...options };
  if (request.length === 0) throw new SteleError('malformed', 'the request is empty');
  const message = { path: '', value: parseJson(request, 'the request') };
  const names = KINDS.map((one) => one.field);
  const { name, field } = readOneOf(message, readMessage(message, names), names);
  const chosen = KINDS.find((one) => one.field === name);
  if (chosen === undefined || !kinds.includes(chosen.kind)) {
    throw new SteleError('malformed', `${name}: this log takes no entries of this kind, but ${kinds.join(', ')}`);
  }
  const knownKinds = KINDS.map((one) => one.kind);
  const prepared = chosen.read(field, { maxPayloadBytes, knownKinds });
  return { kind: chosen.kind, apiVersion: chosen.apiVersion, prepared };
}

/**
 * Checks every signature and makes the entry: its canonical body, and the keys it can be found by. Throws
 * `invalid-proof` for a wrong signature, `limit` for a body above 65,535 bytes, and what `verify` throws (`busy`).
 */
export async function validate(proposal: Proposal, verify: VerifySignature): Promise<ValidEntry> {
  const { kind, apiVersion, prepared } = proposal;
  return { kind, apiVersion, ...(await prepared.prove(verify)) };
}
