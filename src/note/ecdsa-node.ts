/** ECDSA with SHA-256 over P-256, P-384 and P-521, by node:crypto. */

import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { parseEcdsaKey } from './ecdsa-key.ts';

/** A function that verifies DER signatures, or undefined when the DER SubjectPublicKeyInfo is no such key. */
export function ecdsaVerifierOf(
  spki: Uint8Array,
): ((message: Uint8Array, signature: Uint8Array) => boolean) | undefined {
  if (parseEcdsaKey(spki) === undefined) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    return undefined; // not on the curve
  }
  return (message, signature) => verify('sha256', message, key, signature);
}
