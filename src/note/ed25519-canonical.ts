/**
 * The signatures that are worth looking at: S below the group's order, key and R properly encoded and not of small order.
 *
 * tweetnacl accepts S + L (a second signature for the same text) and keys of small order (one signature for every text).
 * Both platforms stand behind this check, so that they accept the same set.
 */

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Order of the base point, and the field's prime, little-endian. */
const L = hex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
const P = hex('edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f');
/** y coordinates of the eight points whose order divides 8; the sign bit does not matter. */
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map(hex);

/** Whether lengths, encodings and orders are as RFC 8032 wants them; says nothing about the signature being right. */
export function isCanonical(publicKey: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  return isProperPoint(publicKey) && isProperPoint(signature.subarray(0, 32)) && isBelow(signature.subarray(32), L);
}

function isProperPoint(point: Uint8Array): boolean {
  const y = point.slice();
  y[31] = (y[31] ?? 0) & 0x7f;
  return isBelow(y, P) && !SMALL_ORDER.some((small) => small.every((byte, i) => byte === y[i]));
}

/** Little-endian comparison. */
function isBelow(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = a.length - 1; i >= 0; i--) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}
