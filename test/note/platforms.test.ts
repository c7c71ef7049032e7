/** The two files of a platform pair accept the same set, also where their libraries by themselves do not. */

import assert from 'node:assert/strict';
import { createHash, createPublicKey, ECDH, generateKeyPairSync, sign, verify } from 'node:crypto';
import test from 'node:test';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import * as ecdsaNode from '../../src/note/ecdsa-node.ts';
import * as ecdsaWeb from '../../src/note/ecdsa-web.ts';
import * as node from '../../src/note/ed25519-node.ts';
import * as web from '../../src/note/ed25519-web.ts';

const MESSAGE = new TextEncoder().encode('text\n');
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const P = 2n ** 255n - 19n;
const ORDER_8 = 0x5fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;

function little(value: bigint): Uint8Array {
  return new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse());
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}

function sha512(...parts: Uint8Array[]): Uint8Array {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

/** The scalar behind a seed (RFC 8032 §5.1.5). */
function scalarOf(seed: Uint8Array): bigint {
  const clamped = sha512(seed).slice(0, 32);
  clamped[0] = (clamped[0] ?? 0) & 248;
  clamped[31] = ((clamped[31] ?? 0) & 127) | 64;
  return number(clamped);
}

/** With the neutral element for R, which only the owner of the key can do: S = h·a makes the equation hold. */
function signedWithSmallOrderR(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const commitment = little(1n);
  const h = number(sha512(commitment, node.publicKeyOf(seed), message)) % L;
  return Uint8Array.from([...commitment, ...little((h * scalarOf(seed)) % L)]);
}

test('tweetnacl accepts a malleated S, a small-order key and a small-order R; neither of our platforms does', () => {
  const seed = new Uint8Array(32).fill(9);
  const publicKey = node.publicKeyOf(seed);
  const signature = node.signerOf(seed)(MESSAGE);
  const malleated = Uint8Array.from([...signature.subarray(0, 32), ...little(number(signature.subarray(32)) + L)]);
  const neutral = Uint8Array.from([...little(1n), ...little(0n)]);
  const attacks: [string, Uint8Array, Uint8Array][] = [
    ['S + L', publicKey, malleated],
    ['small-order key', little(1n), neutral],
    ['small-order R', publicKey, signedWithSmallOrderR(seed, MESSAGE)],
  ];
  for (const [name, key, forged] of attacks) {
    assert.equal(nacl.sign.detached.verify(MESSAGE, forged, key), true, `${name}: the check is needed`);
    for (const platform of [node, web]) assert.equal(platform.verifierOf(key)(MESSAGE, forged), false, name);
  }
});

test('both Ed25519 platforms agree on every mixture of proper, small-order, non-canonical and malleated parts', () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const edges = [0n, 1n, 2n, P - 1n, P, P + 1n, P + 18n, ORDER_8, P - ORDER_8, L - 1n, L, L + 1n, 2n ** 255n - 1n];
  const edge = fc.constantFrom(...edges.flatMap((value) => [little(value), little(value + 2n ** 255n)]));
  const scalar = fc.constantFrom<(s: bigint) => bigint>(
    (s) => s,
    (s) => s + L,
    (s) => s + 2n * L,
    (s) => (s === 0n ? 0n : L - s),
    () => 0n,
    () => L - 1n,
    () => L,
    () => 2n ** 256n - 1n,
  );
  const part = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
  let accepted = 0;
  fc.assert(
    fc.property(
      seed,
      part(fc.oneof(edge, seed)),
      part(fc.oneof(edge, seed)),
      scalar,
      (secret, key, commitment, change) => {
        const publicKey = key ?? node.publicKeyOf(secret);
        const signature = node.signerOf(secret)(MESSAGE);
        const s = change(number(signature.subarray(32)));
        const altered = Uint8Array.from([...(commitment ?? signature.subarray(0, 32)), ...little(s)]);
        const verdict = node.verifierOf(publicKey)(MESSAGE, altered);
        assert.equal(web.verifierOf(publicKey)(MESSAGE, altered), verdict);
        if (verdict) accepted += 1;
        if (verdict) assert.deepEqual(altered, signature, 'only what the key signed is accepted');
      },
    ),
    { numRuns: 150, examples: [[new Uint8Array(32), undefined, undefined, (s) => s]] },
  );
  assert.ok(accepted > 0, 'some of them are good');
});

const CURVES = ['prime256v1', 'secp384r1', 'secp521r1'] as const;
const POINT_BYTES = { prime256v1: 65, secp384r1: 97, secp521r1: 133 };

/** DER, for contents of less than 256 bytes. */
function der(tag: number, content: Uint8Array): Uint8Array {
  const length = content.length < 128 ? [content.length] : [0x81, content.length];
  return Uint8Array.from([tag, ...length, ...content]);
}

test('both ECDSA platforms take a key only with a named curve and an uncompressed point, whatever OpenSSL takes', () => {
  for (const curve of CURVES) {
    const pair = generateKeyPairSync('ec', { namedCurve: curve });
    const spki = new Uint8Array(pair.publicKey.export({ format: 'der', type: 'spki' }));
    const point = spki.slice(-POINT_BYTES[curve]);
    const signature = new Uint8Array(sign('sha256', MESSAGE, pair.privateKey));
    const algorithm = spki.slice(spki[1] === 0x81 ? 3 : 2);
    const withPoint = (format: 'compressed' | 'hybrid'): Uint8Array => {
      const converted = ECDH.convertKey(point, curve, undefined, undefined, format) as Buffer;
      const identifier = algorithm.slice(0, 2 + (algorithm[1] ?? 0));
      return der(0x30, Uint8Array.from([...identifier, ...der(0x03, Uint8Array.from([0, ...converted]))]));
    };
    const lenient = {
      compressed: withPoint('compressed'),
      hybrid: withPoint('hybrid'),
      trailing: Uint8Array.from([...spki, 0]),
    };
    for (const [name, key] of Object.entries(lenient)) {
      const openssl = createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' });
      assert.equal(verify('sha256', MESSAGE, openssl, signature), true, `${name}: the check is needed`);
      for (const platform of [ecdsaNode, ecdsaWeb])
        assert.equal(platform.ecdsaVerifierOf(key), undefined, `${curve} ${name}`);
    }
    const offCurve = spki.map((byte, i) => (i === spki.length - 1 ? byte ^ 1 : byte));
    const none = spki.map((byte, i) => (i < spki.length - point.length ? byte : 0));
    for (const key of [offCurve, none, spki.slice(0, -1), new Uint8Array(0), point]) {
      for (const platform of [ecdsaNode, ecdsaWeb]) assert.equal(platform.ecdsaVerifierOf(key), undefined, curve);
    }
    for (const platform of [ecdsaNode, ecdsaWeb]) {
      assert.equal(platform.ecdsaVerifierOf(spki)?.(MESSAGE, signature), true, curve);
    }
  }
});

test('both ECDSA platforms give one verdict on altered and re-encoded DER signatures, also on a high s', () => {
  const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const spki = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }));
  const verdicts = (signature: Uint8Array): (boolean | undefined)[] =>
    [ecdsaNode, ecdsaWeb].map((platform) => platform.ecdsaVerifierOf(spki)?.(MESSAGE, signature));
  const integer = (value: bigint): Uint8Array => {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
    return der(0x02, (bytes[0] ?? 0) >= 128 ? Uint8Array.from([0, ...bytes]) : bytes);
  };
  const compact = sign('sha256', MESSAGE, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const [r, s] = [compact.subarray(0, 32), compact.subarray(32)].map((half) => BigInt(`0x${half.toString('hex')}`));
  assert.ok(r !== undefined && s !== undefined);
  const encoded = (one: bigint, two: bigint): Uint8Array =>
    der(0x30, Uint8Array.from([...integer(one), ...integer(two)]));
  assert.deepEqual(verdicts(encoded(r, s)), [true, true]);
  assert.deepEqual(verdicts(encoded(r, order - s)), [true, true], 'RFC 6979 signers do not all make s low');
  const wrong = [
    encoded(r, s + order),
    encoded(r + order, s),
    encoded(0n, s),
    encoded(r, 0n),
    encoded(r, order),
    new Uint8Array(compact),
    Uint8Array.from([...encoded(r, s), 0]),
    Uint8Array.from([0x30, 0x81, ...encoded(r, s).slice(1)]),
    Uint8Array.from([0x30, 0x80, ...encoded(r, s).slice(2), 0, 0]),
    new Uint8Array(0),
  ];
  for (const signature of wrong) assert.deepEqual(verdicts(signature), [false, false]);
  const good = encoded(r, s);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const [one, two] = verdicts(good.map((byte, i) => (i === at ? byte ^ flip : byte)));
      assert.equal(one, two);
    }),
    { numRuns: 60 },
  );
});
