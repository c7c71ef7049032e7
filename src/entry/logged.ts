/** Entries as they stand in a log, read back: what was signed, by whom, and whether that holds. */

import { SteleError } from '../errors.ts';
import { type Canonical, canonicalize } from './canonical.ts';
import { type Json, parseJson } from './json.ts';
import type { LoggedFacts } from './kind.ts';
import { KINDS } from './kinds.ts';
import { readMessage, readText, refuse, required } from './protojson.ts';
import { type VerifySignature, wrongSignature } from './signature.ts';

export interface LoggedEntry extends LoggedFacts {
  readonly kind: string;
  readonly apiVersion: string;
}

const encoder = new TextEncoder();

/**
 * Reads the canonical body of an entry. Throws `malformed` for what is none: another kind or version, JSON that is not
 * canonical (RFC 8785), keys or digests that no such entry has. Raw entries are opaque bytes and cannot be read back.
 */
export function readEntry(body: Uint8Array): LoggedEntry {
  const entry = { path: 'the entry', value: parseJson(body, 'the entry') };
  const fields = readMessage(entry, ['apiVersion', 'kind', 'spec']);
  const kindName = readText(required(entry, fields, 'kind'));
  const apiVersion = readText(required(entry, fields, 'apiVersion'));
  const kind = KINDS.find((one) => one.kind === kindName && one.apiVersion === apiVersion);
  if (kind?.readLogged === undefined) {
    return refuse({ path: 'the entry' }, `is of kind ${kindName} ${apiVersion}, which nobody here can read`);
  }
  const facts = kind.readLogged(required(entry, fields, 'spec'));
  const canonical = encoder.encode(canonicalize(toCanonical(entry.value)));
  if (canonical.length !== body.length || canonical.some((byte, at) => byte !== body[at])) {
    return refuse({ path: 'the entry' }, 'is not canonical JSON (RFC 8785)');
  }
  return { kind: kindName, apiVersion, ...facts };
}

/**
 * Checks every signature of an entry that signs its own digest; those of an envelope need the envelope, which the log
 * does not have. Throws `invalid-proof` for a wrong one.
 */
export async function checkLoggedSignatures(entry: LoggedEntry, verify: VerifySignature): Promise<void> {
  if (!entry.signsDigest) return;
  for (const { bytes, verifier } of entry.signatures) {
    const check = { key: verifier.key, signed: { digest: entry.digest.bytes }, signature: bytes };
    if (!(await verify(check))) throw wrongSignature('the entry', 'its key did not sign its digest');
  }
}

function toCanonical(value: Json): Canonical {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) return value.map(toCanonical);
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, member]) => [name, toCanonical(member as Json)]));
  }
  throw new SteleError('malformed', 'the entry has something other than objects, lists and strings');
}
