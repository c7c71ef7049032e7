/**
 * In Node: ECDSA over a digest and RSA by OpenSSL's arithmetic.
 *
 * node:crypto verifies ECDSA over messages only: given no hash it takes SHA-256 of the digest. What it has is Diffie and
 * Hellman on the same curves: k·G with both coordinates, and the x of k·P. That is enough. A signature (r, s) over z is
 * right for Q when R = (z·G + r·Q)/s is a point with x(R) mod n = r. Multiplied by s/r, which is not zero:
 *
 *     (s/r)·R = (z/r)·G + Q        for a point R with x(R) mod n = r.
 *
 * The left side is k·P for the point that has r for its x; it does not matter which of the two, R or −R, for both give
 * the same x, and ECDSA itself looks at x only. (z/r)·G is k·G, and adding Q to it is one addition, of which only x is
 * needed, so that no division is. As n is below p, the point may have x = r + n as well: about 1 in 2^128 on P-256, and
 * whoever wants it can make such a signature. Ten times as fast as arithmetic in JavaScript.
 */

import { constants, createECDH, createPublicKey, type ECDH, publicDecrypt } from 'node:crypto';
import { type Curve, type CurveName, coordinatesOf, modulo, type Point, toBytes } from './curves.ts';
import { toBigInt } from './der.ts';
import type { PublicKey } from './public-key.ts';

const OPENSSL_NAMES: Readonly<Record<CurveName, string>> = {
  'P-256': 'prime256v1',
  'P-384': 'secp384r1',
  'P-521': 'secp521r1',
};
/** Which of the two points with that x: either will do. */
const COMPRESSED = 0x02;

const contexts = new Map<CurveName, ECDH>();

/** ECDSA verification, FIPS 186-5 §6.4.2, from step 3; 0 < r, s < n, the point is on the curve. */
export function verifyEcdsaDigest(curve: Curve, point: Uint8Array, digest: Uint8Array, r: bigint, s: bigint): boolean {
  const key = coordinatesOf(curve, point);
  if (key === undefined) return false;
  const { n, p } = curve;
  const inverse = invert(r, n);
  const t = modulo(toBigInt(digest) * inverse, n);
  const base = t === 0n ? undefined : multiplyBase(curve, t);
  const factor = modulo(s * inverse, n);
  for (let x = r; x < p; x += n) {
    const left = multiply(curve, factor, x);
    if (left !== undefined && isXOfSum(curve, left, key, base)) return true;
  }
  return false;
}

/** k·G, 0 < k < n. */
function multiplyBase(curve: Curve, k: bigint): Point | undefined {
  const context = contextOf(curve);
  context.setPrivateKey(toBytes(k, curve.size));
  return coordinatesOf(curve, context.getPublicKey());
}

/** The x of k·P for a point P with the given x, 0 < k < n; undefined when the curve has no such point. */
function multiply(curve: Curve, k: bigint, x: bigint): bigint | undefined {
  const context = contextOf(curve);
  context.setPrivateKey(toBytes(k, curve.size));
  const compressed = new Uint8Array(1 + curve.size);
  compressed[0] = COMPRESSED;
  compressed.set(toBytes(x, curve.size), 1);
  try {
    return toBigInt(context.computeSecret(compressed));
  } catch {
    return undefined;
  }
}

/** Whether a + b is a point with this x; without b, whether a is. The sum's formula, multiplied by its denominator. */
function isXOfSum({ p }: Curve, x: bigint, a: Point, b: Point | undefined): boolean {
  if (b === undefined) return x === a.x;
  if (a.x === b.x && a.y !== b.y) return false; // b = −a: the sum is the point at infinity, which has no x
  const [dy, dx] = a.x === b.x ? [3n * a.x * a.x - 3n, 2n * a.y] : [b.y - a.y, b.x - a.x];
  return modulo((x + a.x + b.x) * dx * dx - dy * dy, p) === 0n;
}

/** By Euclid; `value` is not a multiple of `m`, which is prime. */
function invert(value: bigint, m: bigint): bigint {
  let [previous, rest] = [m, value];
  let [before, inverse] = [0n, 1n];
  while (rest !== 0n) {
    const quotient = previous / rest;
    [previous, rest] = [rest, previous - quotient * rest];
    [before, inverse] = [inverse, before - quotient * inverse];
  }
  return modulo(before, m);
}

function contextOf({ name }: Curve): ECDH {
  const known = contexts.get(name);
  if (known !== undefined) return known;
  const context = createECDH(OPENSSL_NAMES[name]);
  contexts.set(name, context);
  return context;
}

/** RSAVP1 (RFC 8017 §5.2.2): the encoded message, or undefined for a signature that is no number below the modulus. */
export function recoverRsa(key: PublicKey & { type: 'rsa' }, signature: Uint8Array): Uint8Array | undefined {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
    return publicDecrypt({ key: publicKey, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return undefined;
  }
}
