/** The curves that sign entries (FIPS 186-5; SEC 2): y² = x³ − 3x + b over a prime field, of prime order. */

import { toBigInt } from './der.ts';

export type CurveName = 'P-256' | 'P-384' | 'P-521';

export interface Curve {
  readonly name: CurveName;
  /** The field's prime. */
  readonly p: bigint;
  readonly b: bigint;
  /** The group's order: below p on all three, so that one r can stand for two points, x = r and x = r + n. */
  readonly n: bigint;
  /** Bytes of a coordinate, and of a scalar. */
  readonly size: number;
}

export interface Point {
  readonly x: bigint;
  readonly y: bigint;
}

const UNCOMPRESSED = 0x04;

export const CURVES: Readonly<Record<CurveName, Curve>> = {
  'P-256': {
    name: 'P-256',
    p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    size: 32,
  },
  'P-384': {
    name: 'P-384',
    p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    n: 2n ** 384n - 0x389cb27e0bc8d220a7e5f24db74f58851313e695333ad68dn,
    size: 48,
  },
  'P-521': {
    name: 'P-521',
    p: 2n ** 521n - 1n,
    b: 0x0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    n: 2n ** 521n - 0x5ae79787c40d069948033feb708f65a2fc44a36477663b851449048e16ec79bf7n,
    size: 66,
  },
};

/** The coordinates in 04 ‖ x ‖ y, or undefined for another encoding. They may lie anywhere. */
export function coordinatesOf({ size }: Curve, encoded: Uint8Array): Point | undefined {
  if (encoded.length !== 1 + 2 * size || encoded[0] !== UNCOMPRESSED) return undefined;
  return { x: toBigInt(encoded.subarray(1, 1 + size)), y: toBigInt(encoded.subarray(1 + size)) };
}

export function isOnCurve({ p, b }: Curve, { x, y }: Point): boolean {
  return x < p && y < p && modulo(y * y - x * x * x + 3n * x - b, p) === 0n;
}

/** The residue in [0, m). */
export function modulo(value: bigint, m: bigint): bigint {
  const residue = value % m;
  return residue < 0n ? residue + m : residue;
}

/** Big-endian, `size` bytes; the value has to fit. */
export function toBytes(value: bigint, size: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * size, '0');
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at++) bytes[at] = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16);
  return bytes;
}
