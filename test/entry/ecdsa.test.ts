/**
 * Node's fast ECDSA against @noble/curves, above all where they could part: signatures are made backwards, from a point R
 * and any r, s and z, to the key under which they are right (Q = (s·R − z·G)/r), so that every edge has valid examples.
 */

import assert from 'node:assert/strict';
import test from 'node:test';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { CURVES, type Curve, type CurveName, toBytes } from '../../src/entry/curves.ts';
import { parsePublicKey } from '../../src/entry/index.ts';
import * as node from '../../src/entry/signatures-node.ts';
import * as web from '../../src/entry/signatures-web.ts';
import { der, oid, sequence } from './der-writer.ts';

const NOBLE = { 'P-256': p256, 'P-384': p384, 'P-521': p521 };
const NAMES = Object.keys(CURVES) as CurveName[];
const DIGEST_BYTES = { 'P-256': 32, 'P-384': 48, 'P-521': 64 };
/** Runs of a property: P-521 takes 10 ms a verification by either side. */
const RUNS = { 'P-256': 60, 'P-384': 20, 'P-521': 10 };

const mod = (value: bigint, m: bigint): bigint => ((value % m) + m) % m;

/** Both verdicts, which have to be one. */
function verdict(curve: Curve, point: Uint8Array, z: Uint8Array, r: bigint, s: bigint): boolean {
  const fast = node.verifyEcdsaDigest(curve, point, z, r, s);
  assert.equal(fast, web.verifyEcdsaDigest(curve, point, z, r, s), `${curve.name} r=${r} s=${s}`);
  return fast;
}

/** A scalar other than 0, biased to the ends of its range. */
function scalar(n: bigint): fc.Arbitrary<bigint> {
  const ends = fc.constantFrom(1n, 2n, 3n, (n - 1n) / 2n, (n + 1n) / 2n, n - 2n, n - 1n);
  return fc.oneof(ends, fc.bigInt({ min: 1n, max: n - 1n }));
}

/** The key under which (r, s) is right for z, given the R of the signature; undefined for the point at infinity. */
function keyFor(curve: Curve, R: InstanceType<typeof p256.Point>, z: bigint, s: bigint): Uint8Array | undefined {
  const { Point } = NOBLE[curve.name];
  const { n } = curve;
  const Fn = Point.Fn;
  const inverse = Fn.inv(mod(R.toAffine().x, n));
  const left = R.multiplyUnsafe(mod(s * inverse, n));
  const right = mod(z * inverse, n);
  const Q = right === 0n ? left : left.subtract(Point.BASE.multiplyUnsafe(right));
  return Q.is0() ? undefined : Q.toBytes(false);
}

for (const name of NAMES) {
  const curve = CURVES[name];
  const { Point } = NOBLE[name];
  const { n, p } = curve;
  const maxZ = 2n ** BigInt(8 * DIGEST_BYTES[name]) - 1n;
  const zBytes = (z: bigint): Uint8Array => toBytes(z, DIGEST_BYTES[name]);

  test(`${name}: the curve is @noble/curves' own`, () => {
    const { p: theirs, n: order, b } = Point.CURVE();
    assert.deepEqual([p, n, curve.b, curve.size], [theirs, order, b, Point.Fp.BYTES]);
  });

  test(`${name}: signatures made to be right are, by both, and those changed anywhere are not`, () => {
    const z = fc.oneof(fc.constantFrom(0n, 1n, mod(n, maxZ), maxZ), fc.bigInt({ min: 0n, max: maxZ }));
    fc.assert(
      fc.property(scalar(n), scalar(n), z, fc.constantFrom('r', 's', 'z', 'key'), (k, s, digest, part) => {
        const R = Point.BASE.multiply(k);
        const r = mod(R.toAffine().x, n);
        const key = keyFor(curve, R, digest, s);
        if (r === 0n || key === undefined) return;
        assert.equal(verdict(curve, key, zBytes(digest), r, s), true);
        assert.equal(verdict(curve, key, zBytes(digest), r, n - s), true, 'the other s, high or low');
        const other = Point.fromBytes(key).add(Point.BASE);
        const changed = {
          r: () => verdict(curve, key, zBytes(digest), (r % (n - 1n)) + 1n, s),
          s: () => verdict(curve, key, zBytes(digest), r, (s % (n - 1n)) + 1n),
          z: () => verdict(curve, key, zBytes(mod(digest + 1n, maxZ + 1n)), r, s),
          key: () => !other.is0() && verdict(curve, other.toBytes(false), zBytes(digest), r, s),
        };
        changed[part](); // both agree; it may be right by chance at the ends: s = (n ± 1)/2 are one signature
      }),
      { numRuns: RUNS[name] },
    );
  });

  test(`${name}: z = 0, and z of the order itself, are numbers like others`, () => {
    const R = Point.BASE.multiply(5n);
    const r = mod(R.toAffine().x, n);
    for (const z of [0n, ...(n <= maxZ ? [n] : [])]) {
      const key = keyFor(curve, R, z, 7n) ?? assert.fail('a key');
      assert.equal(verdict(curve, key, zBytes(z), r, 7n), true);
      assert.equal(verdict(curve, key, zBytes(z + 1n), r, 7n), false);
    }
  });

  test(`${name}: (z/r)·G = Q is a doubling, and (z/r)·G = −Q has no x and is wrong`, () => {
    // With Q = d·G and z = ±r·d, for an r whose signature is then s = (z + r·d)/k.
    const d = 11n;
    const Q = Point.BASE.multiply(d).toBytes(false);
    let doubled = 0;
    for (let k = 2n; k < 40n; k++) {
      const r = mod(Point.BASE.multiply(k).toAffine().x, n);
      const z = mod(r * d, n);
      if (z > maxZ) continue; // P-521: longer than a digest
      const s = mod(2n * z * Point.Fn.inv(k), n);
      assert.equal(verdict(curve, Q, zBytes(z), r, s), true);
      assert.equal(verdict(curve, Q, zBytes(z), r, mod(s + 1n, n)), false);
      const opposite = mod(-z, n);
      if (opposite <= maxZ) assert.equal(verdict(curve, Q, zBytes(opposite), r, s), false);
      doubled += 1;
      if (doubled === 3) break;
    }
    if (name !== 'P-521') assert.equal(doubled, 3);
    else {
      // One multiple of eleven in 2^9 is short enough: choose the digest, and make r and the key fit it.
      const R = Point.BASE.multiply(3n);
      const r = mod(R.toAffine().x, n);
      const z = 12_345n;
      const e = mod(z * Point.Fn.inv(r), n);
      const key = Point.BASE.multiply(e).toBytes(false);
      const s = mod(2n * z * Point.Fn.inv(3n), n);
      assert.equal(verdict(curve, key, zBytes(z), r, s), true);
      const negated = Point.BASE.multiply(e).negate().toBytes(false);
      assert.equal(verdict(curve, negated, zBytes(z), r, s), false);
    }
  });

  test(`${name}: an r that stands for the point with x = r + n is right, too`, () => {
    // The least points with n < x < p; nobody knows their logarithm, and nobody needs to.
    let found = 0;
    for (let x = n + 1n; found < 3 && x < p; x++) {
      const R = liftX(curve, x);
      if (R === undefined) continue;
      const r = x - n;
      const key = keyFor(curve, R, 99n, 7n) ?? assert.fail('a key');
      assert.equal(verdict(curve, key, zBytes(99n), r, 7n), true, `x = n + ${r}`);
      assert.equal(verdict(curve, key, zBytes(98n), r, 7n), false);
      found += 1;
    }
    assert.equal(found, 3);
  });

  test(`${name}: an r that is no point's x is wrong`, () => {
    const Q = Point.BASE.multiply(3n).toBytes(false);
    let tried = 0;
    for (let r = 1n; tried < 3; r++) {
      if (liftX(curve, r) !== undefined || liftX(curve, r + n) !== undefined) continue;
      assert.equal(verdict(curve, Q, zBytes(5n), r, 7n), false);
      tried += 1;
    }
  });

  test(`${name}: a point that is not on the curve, or at infinity, is no key`, () => {
    const good = Point.BASE.toBytes(false);
    assert.equal(parsePublicKey(spkiAround(name, good), 'the key').type, 'ecdsa');
    const off = Uint8Array.from(good);
    off[off.length - 1] = (off.at(-1) ?? 0) ^ 1;
    const { x, y } = Point.BASE.toAffine();
    const above = x + p < 2n ** BigInt(8 * curve.size) ? [x + p, y] : [x, y + p]; // another name of the same residue
    const unreduced = Uint8Array.from([4, ...above.flatMap((value) => [...toBytes(value, curve.size)])]);
    for (const point of [off, Uint8Array.of(0), new Uint8Array(good.length), Uint8Array.of(), unreduced]) {
      assert.throws(() => parsePublicKey(spkiAround(name, point), 'the key'), /it is no point on/);
    }
  });
}

function liftX(curve: Curve, x: bigint): InstanceType<typeof p256.Point> | undefined {
  const compressed = Uint8Array.from([2, ...toBytes(x, curve.size)]);
  try {
    return NOBLE[curve.name].Point.fromBytes(compressed);
  } catch {
    return undefined;
  }
}

function spkiAround(name: CurveName, point: Uint8Array): Uint8Array {
  const curve = { 'P-256': '1.2.840.10045.3.1.7', 'P-384': '1.3.132.0.34', 'P-521': '1.3.132.0.35' }[name];
  return sequence(sequence(oid('1.2.840.10045.2.1'), oid(curve)), der(0x03, Uint8Array.of(0), point));
}
