/** dev.sigstore.rekor.v2.Verifier: a key in one of the PKI formats, and the label that says how it signs. */

import { toBase64 } from '../note/index.ts';
import { KEY_DETAILS, type KeyDetails, type SigningAlgorithm, signingAlgorithm } from './algorithms.ts';
import type { CanonicalObject } from './canonical.ts';
import { KEY_FORMATS } from './formats.ts';
import type { LookupKey } from './lookup.ts';
import { type Field, readEnum, readMessage, readOneOf, readSomeBytes, refuse, required } from './protojson.ts';
import type { PublicKey } from './public-key.ts';

export interface EntryVerifier {
  readonly key: PublicKey;
  readonly algorithm: SigningAlgorithm;
  /** As it stands in the log entry. */
  readonly canonical: CanonicalObject;
  /** Equal for verifiers whose key bytes are equal. */
  readonly rawBytes: string;
  readonly keys: readonly LookupKey[];
}

const UNSPECIFIED = 'PUBLIC_KEY_DETAILS_UNSPECIFIED';

/** Throws `malformed`, saying where, for a key, a certificate or a label that this log does not take. */
export function readVerifier(field: Field): EntryVerifier {
  const formatNames = KEY_FORMATS.map((format) => format.field);
  const fields = readMessage(field, [...formatNames, 'keyDetails']);
  const chosen = readOneOf(field, fields, formatNames);
  const format = KEY_FORMATS.find((one) => one.field === chosen.name) ?? refuse(field, `has no ${chosen.name}`);
  const raw = readSomeBytes(chosen.field, readMessage(chosen.field, ['rawBytes']), 'rawBytes');
  const { key, keys } = format.read(raw, chosen.field.path);
  const details = readDetails(required(field, fields, 'keyDetails'));
  const algorithm = signingAlgorithm(details, key);
  if (algorithm === undefined) {
    return refuse(field, `keyDetails ${details} does not go with ${nameOf(key)}, which signs with another hash`);
  }
  const rawBytes = toBase64(raw);
  return { key, algorithm, canonical: { keyDetails: details, [format.field]: { rawBytes } }, rawBytes, keys };
}

function readDetails(field: Field): KeyDetails {
  const details = readEnum(field, { [UNSPECIFIED]: 0, ...KEY_DETAILS });
  return details === UNSPECIFIED ? refuse(field, 'does not say which algorithm signed') : details;
}

function nameOf(key: PublicKey): string {
  switch (key.type) {
    case 'ecdsa':
      return `an ECDSA key on ${key.curve}`;
    case 'rsa':
      return `an RSA key of ${key.bits} bits`;
    case 'ed25519':
      return 'an Ed25519 key';
  }
}
