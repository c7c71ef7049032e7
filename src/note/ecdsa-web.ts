/** ECDSA with SHA-256 over P-256, P-384 and P-521, by @noble/curves. */

import { p256, p384, p521 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { parseEcdsaKey } from './ecdsa-key.ts';

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521 };

/** A function that verifies DER signatures, or undefined when the DER SubjectPublicKeyInfo is no such key. */
export function ecdsaVerifierOf(
  spki: Uint8Array,
): ((message: Uint8Array, signature: Uint8Array) => boolean) | undefined {
  const found = parseEcdsaKey(spki);
  if (found === undefined) return undefined;
  const { point } = found;
  const curve = CURVES[found.curve];
  try {
    curve.Point.fromBytes(point).assertValidity();
  } catch {
    return undefined; // not on the curve
  }
  return (message, signature) => {
    try {
      return curve.verify(signature, sha256(message), point, { prehash: false, lowS: false, format: 'der' });
    } catch {
      return false; // not DER
    }
  };
}
