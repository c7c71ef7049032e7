/** ECDSA with SHA-256 over P-256, P-384 and P-521, by node:crypto. */

import { createPublicKey, type KeyObject, verify } from 'node:crypto';

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** A function that verifies DER signatures, or undefined when the DER SubjectPublicKeyInfo is no such key. */
export function ecdsaVerifierOf(
  spki: Uint8Array,
): ((message: Uint8Array, signature: Uint8Array) => boolean) | undefined {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  if (key.asymmetricKeyType !== 'ec' || !CURVES.has(key.asymmetricKeyDetails?.namedCurve ?? '')) return undefined;
  return (message, signature) => verify('sha256', message, key, signature);
}
