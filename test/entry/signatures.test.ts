/** Signatures of every kind: OpenSSL's are right, and whatever is not quite one is wrong. */

import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import test from 'node:test';
import { ed25519, ed25519ph } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { CURVES, toBytes } from '../../src/entry/curves.ts';
import { type PublicKey, parsePublicKey, verifySignature } from '../../src/entry/index.ts';
import * as node from '../../src/entry/signatures-node.ts';
import * as web from '../../src/entry/signatures-web.ts';
import { der, integer, sequence } from './der-writer.ts';
import { digest, SIGNERS, spkiOf, type TestSigner, utf8 } from './proposals.ts';

const MESSAGE = utf8('hello, world!');

function check(signer: TestSigner, signature: Uint8Array, over = digest(signer.hash, MESSAGE)): boolean {
  return verifySignature({ key: parsePublicKey(spkiOf(signer), 'the key'), signed: { digest: over }, signature });
}

for (const [name, signer] of Object.entries(SIGNERS)) {
  test(`${name}: OpenSSL's signatures are right, for their digest and key only`, () => {
    for (let i = 0; i < 8; i++) assert.equal(check(signer, signer.sign(MESSAGE)), true); // half of ECDSA's with a high s
    const signature = signer.sign(MESSAGE);
    assert.equal(check(signer, signature, digest(signer.hash, utf8('hello, world?'))), false);
    for (const at of [0, 5, signature.length - 1]) {
      const changed = Uint8Array.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(check(signer, changed), false, `bit of byte ${at}`);
    }
    for (const other of [new Uint8Array(), signature.subarray(1), signature.subarray(0, -1), [...signature, 0]]) {
      assert.equal(check(signer, Uint8Array.from(other)), false);
    }
    for (const [another, { publicKey }] of Object.entries(SIGNERS)) {
      if (another !== name) assert.equal(check({ ...signer, publicKey }, signature), false, `under ${another}`);
    }
  });
}

test('ECDSA: r or s of 0 and n, negative or long integers, and bytes behind them are wrong', () => {
  const { n } = CURVES['P-256'];
  const right = SIGNERS.p256.sign(MESSAGE);
  const pair = p256.Signature.fromBytes(right, 'der');
  assert.equal(check(SIGNERS.p256, sequence(integer(pair.r), integer(pair.s))), true);
  const bad: Uint8Array[] = [
    ...[0n, n, n + pair.r, 2n ** 256n].flatMap((edge) => [
      sequence(integer(edge), integer(pair.s)),
      sequence(integer(pair.r), integer(edge)),
    ]),
    sequence(integer(pair.r), integer(pair.s), integer(1n)),
    sequence(integer(pair.r)),
    sequence(der(0x02, Uint8Array.of(0), toBytes(pair.r, 33)), integer(pair.s)),
    sequence(der(0x02), integer(pair.s)),
    Uint8Array.from([0x30, 0x81, right.length - 2, ...right.subarray(2)]),
    Uint8Array.from([0x30, 0x80, ...right.subarray(2), 0, 0]),
  ];
  for (const signature of bad)
    assert.equal(check(SIGNERS.p256, signature), false, Buffer.from(signature).toString('hex'));
});

test('RSA: both platforms recover the same bytes, and none from a number that is not below the modulus', () => {
  const key = rsaKey(SIGNERS.rsa2048);
  const random = fc.uint8Array({ minLength: 256, maxLength: 256 });
  fc.assert(
    fc.property(random, (signature) => {
      const [fast, slow] = [node.recoverRsa(key, signature), web.recoverRsa(key, signature)];
      assert.deepEqual(fast && Uint8Array.from(fast), slow);
    }),
    { numRuns: 40 },
  );
  for (const above of [key.modulus, key.modulus + 1n, 2n ** 2048n - 1n]) {
    assert.equal(node.recoverRsa(key, toBytes(above, 256)), undefined);
    assert.equal(web.recoverRsa(key, toBytes(above, 256)), undefined);
  }
});

function rsaKey(signer: TestSigner): PublicKey & { type: 'rsa' } {
  const key = parsePublicKey(spkiOf(signer), 'the key');
  return key.type === 'rsa' ? key : assert.fail('an RSA key');
}

test('RSA: a signature without its leading zero is wrong, though it is the same number', () => {
  const signer = SIGNERS.rsa2048;
  const found = Array.from({ length: 10_000 }, (_, i) => utf8(`message ${i}`)).find((one) => signer.sign(one)[0] === 0);
  assert.ok(found, 'one signature in 256 starts with a zero');
  const over = digest('sha256', found);
  const signature = signer.sign(found);
  assert.equal(check(signer, signature, over), true);
  assert.equal(check(signer, signature.subarray(1), over), false);
  assert.equal(check(signer, Uint8Array.from([0, ...signature]), over), false);
});

test('RSA: signatures with another padding, another hash or less padding are wrong', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const signer = { ...SIGNERS.rsa2048, publicKey };
  assert.equal(check(signer, sign('sha256', MESSAGE, privateKey)), true);
  assert.equal(check(signer, sign('sha256', MESSAGE, { key: privateKey, padding: 6 })), false, 'PSS');
  assert.equal(check(signer, sign('sha512', MESSAGE, privateKey)), false, 'SHA-512');
  const { d, n } = privateKey.export({ format: 'jwk' });
  const number = (text = ''): bigint => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
  const info = `3031300d060960864801650304020105000420${Buffer.from(digest('sha256', MESSAGE)).toString('hex')}`;
  const right = `0001${'ff'.repeat(202)}00${info}`;
  for (const [encoded, expected] of [
    [right, true],
    [`0001${'ff'.repeat(8)}00${info}${'00'.repeat(194)}`, false], // short padding, rubbish behind (CVE-2006-4339)
    [`0002${'ff'.repeat(202)}00${info}`, false],
    [`0001${'ff'.repeat(203)}00${info.slice(2)}`, false],
  ] as const) {
    const signature = toBytes(power(BigInt(`0x${encoded}`), number(d), number(n)), 256);
    assert.equal(check(signer, signature), expected, encoded.slice(0, 24));
  }
});

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

test('Ed25519ph is not Ed25519, and takes the digest that Ed25519ph takes (RFC 8032 §7.3)', () => {
  const secret = Buffer.from('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42', 'hex');
  const expected =
    '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406';
  const signature = ed25519ph.sign(utf8('abc'), secret);
  assert.equal(Buffer.from(signature).toString('hex'), expected);
  const bytes = ed25519.getPublicKey(secret);
  const key: PublicKey = { type: 'ed25519', bytes, spki: bytes };
  const over = digest('sha512', utf8('abc'));
  assert.equal(verifySignature({ key, signed: { digest: over }, signature }), true);
  assert.equal(verifySignature({ key, signed: { message: over }, signature }), false);
  assert.equal(verifySignature({ key, signed: { message: utf8('abc') }, signature }), false);
  const pure = ed25519.sign(utf8('abc'), secret);
  assert.equal(verifySignature({ key, signed: { message: utf8('abc') }, signature: pure }), true);
  assert.equal(verifySignature({ key, signed: { digest: over }, signature: pure }), false);
});

test('Ed25519: small-order keys and S + L are wrong', () => {
  const L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const secret = new Uint8Array(32).fill(7);
  const bytes = ed25519.getPublicKey(secret);
  const signature = ed25519.sign(MESSAGE, secret);
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`);
  const malleated = Uint8Array.from([...signature.subarray(0, 32), ...toBytes(s + L, 32).reverse()]);
  const ask = (key: Uint8Array, sig: Uint8Array): boolean =>
    verifySignature({ key: { type: 'ed25519', bytes: key, spki: key }, signed: { message: MESSAGE }, signature: sig });
  assert.equal(ask(bytes, signature), true);
  assert.equal(ask(bytes, malleated), false);
  const neutral = Uint8Array.from([1, ...new Uint8Array(31)]);
  assert.equal(ask(neutral, Uint8Array.from([...neutral, ...new Uint8Array(32)])), false);
});
