/** ECDSA with SHA-256 over P-256, P-384 and P-521, by @noble/curves. */

import { p256, p384, p521 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';

/** DER in front of the uncompressed point: id-ecPublicKey, a named curve, a bit string. */
const KEYS = [
  { curve: p256, prefix: '3059301306072a8648ce3d020106082a8648ce3d030107034200', point: 65 },
  { curve: p384, prefix: '3076301006072a8648ce3d020106052b81040022036200', point: 97 },
  { curve: p521, prefix: '30819b301006072a8648ce3d020106052b8104002303818600', point: 133 },
];

/** A function that verifies DER signatures, or undefined when the DER SubjectPublicKeyInfo is no such key. */
export function ecdsaVerifierOf(
  spki: Uint8Array,
): ((message: Uint8Array, signature: Uint8Array) => boolean) | undefined {
  const found = KEYS.find(({ prefix, point }) => {
    const length = prefix.length / 2;
    return spki.length === length + point && toHex(spki.subarray(0, length)) === prefix;
  });
  if (found === undefined) return undefined;
  const { curve, point } = found;
  const key = spki.slice(-point);
  try {
    curve.Point.fromBytes(key).assertValidity();
  } catch {
    return undefined;
  }
  return (message, signature) => {
    try {
      return curve.verify(signature, sha256(message), key, { prehash: false, lowS: false, format: 'der' });
    } catch {
      return false; // not DER
    }
  };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
