/** Outside Node: ECDSA over a digest by @noble/curves, RSA in BigInt. The reference for what Node does faster. */

import { p256, p384, p521 } from '@noble/curves/nist.js';
import { type Curve, toBytes } from './curves.ts';
import { toBigInt } from './der.ts';
import type { PublicKey } from './public-key.ts';

const NOBLE = { 'P-256': p256, 'P-384': p384, 'P-521': p521 };

/** ECDSA verification, FIPS 186-5 §6.4.2, from step 3; 0 < r, s < n, the point is on the curve. */
export function verifyEcdsaDigest(curve: Curve, point: Uint8Array, digest: Uint8Array, r: bigint, s: bigint): boolean {
  const signature = Uint8Array.from([...toBytes(r, curve.size), ...toBytes(s, curve.size)]);
  return NOBLE[curve.name].verify(signature, digest, point, { prehash: false, lowS: false, format: 'compact' });
}

/** RSAVP1 (RFC 8017 §5.2.2): the encoded message, or undefined for a signature that is no number below the modulus. */
export function recoverRsa(key: PublicKey & { type: 'rsa' }, signature: Uint8Array): Uint8Array | undefined {
  const base = toBigInt(signature);
  if (base >= key.modulus) return undefined;
  let power = 1n;
  for (const bit of key.exponent.toString(2)) {
    power = (power * power) % key.modulus;
    if (bit === '1') power = (power * base) % key.modulus;
  }
  return toBytes(power, key.bits / 8);
}
