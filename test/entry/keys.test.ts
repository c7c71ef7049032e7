/** Keys have one encoding each, and certificates give up their names as the lookup index wants them. */

import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import test from 'node:test';
import { p256 as nobleP256 } from '@noble/curves/nist.js';
import fc from 'fast-check';
import { type LookupKey, parseCertificate, parsePublicKey } from '../../src/entry/index.ts';
import {
  ALTERNATIVE_NAMES,
  certificateAround,
  certificateOf,
  dns,
  email,
  extension,
  FULCIO,
  ip,
  otherName,
  uri,
} from './certificates.ts';
import { der, explicit, hex, integer, oid, sequence, text } from './der-writer.ts';
import { accept, digest, hashedRekord, type Sendable, SIGNERS, spkiOf, utf8, verifierOf } from './proposals.ts';

const { publicKey } = SIGNERS.p256;
const EC = oid('1.2.840.10045.2.1');
const P256 = oid('1.2.840.10045.3.1.7');
const RSA = oid('1.2.840.113549.1.1.1');
const NULL = der(0x05);
const bits = (bytes: Uint8Array): Uint8Array => der(0x03, Uint8Array.of(0), bytes);
const spki = (parameters: readonly Uint8Array[], key: Uint8Array): Uint8Array =>
  sequence(sequence(...parameters), bits(key));
const malformed = (bytes: Uint8Array, why: RegExp): void =>
  assert.throws(
    () => parsePublicKey(bytes, 'the key'),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'malformed');
      assert.match(error.message, why);
      return true;
    },
  );

test('every supported key is read, with its parts', () => {
  for (const [name, signer] of Object.entries(SIGNERS)) {
    const key = parsePublicKey(spkiOf(signer), 'the key');
    const { kty = '', crv = '', n = '' } = signer.publicKey.export({ format: 'jwk' });
    const size = key.type === 'rsa' ? String(key.modulus) : '';
    const expected = kty === 'RSA' ? String(BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`)) : '';
    assert.equal(size, expected, name);
    assert.equal(key.type === 'ecdsa' ? key.curve : key.type, kty === 'EC' ? crv : kty === 'RSA' ? 'rsa' : 'ed25519');
  }
});

test('a P-256 key in another encoding is refused, though OpenSSL takes it', () => {
  const point = spkiOf(SIGNERS.p256).subarray(-65);
  assert.equal(parsePublicKey(spki([EC, P256], point), 'the key').type, 'ecdsa');
  const compressed = spki([EC, P256], nobleP256.Point.fromBytes(point).toBytes(true));
  const hybrid = spki([EC, P256], Uint8Array.from([6 + ((point[64] ?? 0) & 1), ...point.subarray(1)]));
  for (const other of [compressed, hybrid]) {
    assert.ok(createPublicKey({ key: Buffer.from(other), format: 'der', type: 'spki' }));
    malformed(other, /no point on P-256 in uncompressed form/);
  }
  malformed(Uint8Array.from([...spki([EC, P256], point), 0]), /1 bytes behind its end/);
  malformed(spki([EC, P256, NULL], point), /not a SubjectPublicKeyInfo/);
  malformed(sequence(sequence(EC, P256), der(0x03, Uint8Array.of(1), point)), /not a SubjectPublicKeyInfo/);
  malformed(spki([EC, oid('1.3.132.0.10')], point), /its curve is none of/);
});

test('RSA keys of other sizes, exponents and encodings are refused', () => {
  const { n = '', e = '' } = SIGNERS.rsa2048.publicKey.export({ format: 'jwk' });
  const number = (part: string): bigint => BigInt(`0x${Buffer.from(part, 'base64url').toString('hex')}`);
  const key = (...parts: Uint8Array[]): Uint8Array => spki([RSA, NULL], sequence(...parts));
  assert.equal(parsePublicKey(key(integer(number(n)), integer(number(e))), 'the key').type, 'rsa');
  for (const exponent of [1n, 2n, 0n, 2n ** 31n + 1n]) {
    malformed(key(integer(number(n)), integer(exponent)), /exponent 3 to 2\^31-1/);
  }
  malformed(key(integer(number(n) - 1n), integer(3n)), /both are odd/);
  malformed(key(integer(number(n)), integer(3n), integer(3n)), /not an RSA key/);
  malformed(key(der(0x02, hex(`0000${number(n).toString(16)}`)), integer(3n)), /not in its shortest form/);
  malformed(key(der(0x02, hex(number(n).toString(16))), integer(3n)), /negative/);
  malformed(spki([RSA], sequence(integer(number(n)), integer(3n))), /not as expected/);
  for (const modulusLength of [1024, 2056]) {
    const other = generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'der', type: 'spki' });
    malformed(other, new RegExp(`RSA key of ${modulusLength} bits, and this log takes 2048, 3072, 4096`));
  }
});

test('keys of other kinds are refused by name', () => {
  for (const type of ['x25519', 'ed448'] as const) {
    const other = generateKeyPairSync(type as 'x25519').publicKey.export({ format: 'der', type: 'spki' });
    malformed(other, /neither an ECDSA, nor an RSA, nor an Ed25519 key/);
  }
  malformed(spki([oid('1.3.101.112'), NULL], new Uint8Array(32)), /32 bytes and no parameters/);
  malformed(spki([oid('1.3.101.112')], new Uint8Array(31)), /32 bytes and no parameters/);
});

const namesOf = (...names: Uint8Array[]): readonly LookupKey[] =>
  parseCertificate(certificateOf(publicKey, extension(ALTERNATIVE_NAMES, sequence(...names))), 'it').keys;

test('names of all types are keys, folded in ASCII only', () => {
  const names = namesOf(
    email('Brian@DeHamer.com'),
    dns('EXAMPLE.com'),
    uri('https://Example.com/A'),
    ip(127, 0, 0, 1),
    otherName(`${FULCIO}.7`, 'Some User'),
    otherName('1.3.6.1.5.5.7.8.9', 'A@b.example'),
    otherName('1.2.3.4', 'ignored'),
    explicit(4, sequence()), // directoryName
  );
  assert.deepEqual(names, [
    { name: 'san', type: 'email', value: 'brian@dehamer.com' },
    { name: 'san', type: 'dns', value: 'example.com' },
    { name: 'san', type: 'uri', value: 'https://example.com/a' },
    { name: 'san', type: 'ip', value: Uint8Array.of(127, 0, 0, 1) },
    { name: 'san', type: 'other', value: 'some user' },
    { name: 'san', type: 'email', value: 'a@b.example' },
  ]);
});

test('Fulcio’s issuer, old and new, and its repository are keys', () => {
  const certificate = certificateOf(
    publicKey,
    extension(`${FULCIO}.1`, utf8('https://Accounts.example.com')),
    extension(`${FULCIO}.8`, text(0x0c, 'https://issuer.example.com')),
    extension(`${FULCIO}.12`, text(0x0c, 'https://github.com/Some/Repo')),
    extension(`${FULCIO}.9`, text(0x0c, 'not a key')),
  );
  assert.deepEqual(parseCertificate(certificate, 'it').keys, [
    { name: 'issuer', value: 'https://accounts.example.com' },
    { name: 'issuer', value: 'https://issuer.example.com' },
    { name: 'repo', value: 'https://github.com/some/repo' },
  ]);
});

test('a name that two readers could see differently makes the whole entry a candidate for everything', () => {
  for (const odd of [email('a\0b@example.com'), email('ä@example.com'), dns('a\u007f'), ip(1, 2, 3)]) {
    assert.deepEqual(namesOf(email('good@example.com'), odd), [{ name: 'wildcard' }]);
  }
});

test('an entry whose certificate has such a name has the wildcard alone', async () => {
  const odd = certificateOf(publicKey, extension(ALTERNATIVE_NAMES, sequence(dns('a\u007f'))));
  const { keys } = await accept(hashedRekord(SIGNERS.p256, utf8('x'), verifierOf(SIGNERS.p256, odd)));
  assert.deepEqual(keys, [{ name: 'wildcard' }]);
});

test('an entry with more than 511 keys has the wildcard alone', async () => {
  const keysWith = async (names: number): Promise<readonly LookupKey[]> => {
    const many = Array.from({ length: names }, (_, i) => dns(`${i}`));
    const certificate = certificateOf(publicKey, extension(ALTERNATIVE_NAMES, sequence(...many)));
    return (await accept(hashedRekord(SIGNERS.p256, utf8('x'), verifierOf(SIGNERS.p256, certificate)))).keys;
  };
  assert.equal((await keysWith(509)).length, 511);
  assert.deepEqual(await keysWith(510), [{ name: 'wildcard' }]);
});

test('a certificate of version 1 has a key and no names; unique identifiers are passed over', () => {
  assert.deepEqual(parseCertificate(certificateOf(publicKey), 'it').keys, []);
  const names = extension(ALTERNATIVE_NAMES, sequence(email('a@example.com')));
  const empty = sequence();
  const tbs = sequence(
    ...[explicit(0, integer(2n)), integer(1n), empty, empty, empty, empty, spkiOf(SIGNERS.p256)],
    ...[der(0x81, Uint8Array.of(0)), der(0xa2, Uint8Array.of(0)), explicit(3, sequence(names))],
  );
  assert.equal(parseCertificate(sequence(tbs), 'it').keys.length, 1);
});

test('repeated extensions and parts that do not fill their parents are refused', () => {
  const names = extension(ALTERNATIVE_NAMES, sequence(email('a@example.com')));
  const bad = [
    certificateOf(publicKey, names, names),
    certificateOf(publicKey, extension(ALTERNATIVE_NAMES, Uint8Array.from([...sequence(email('a')), 0]))),
    certificateOf(publicKey, sequence(oid(ALTERNATIVE_NAMES), sequence())),
    certificateOf(publicKey, sequence(oid(ALTERNATIVE_NAMES), der(0x04, sequence()), der(0x04))),
    certificateOf(publicKey, extension(`${FULCIO}.8`, utf8('https://issuer.example.com'))),
    certificateOf(publicKey, extension(ALTERNATIVE_NAMES, sequence(explicit(0, oid('1.2.3'))))),
  ];
  for (const certificate of bad) assert.throws(() => parseCertificate(certificate, 'it'), { code: 'malformed' });
});

test('OpenSSL finds the same key and the same names in what we read', () => {
  const word = fc.stringMatching(/^[a-z0-9.-]{1,30}$/);
  const name = fc.oneof(
    word.map((value) => ({ made: email(`${value}@example.com`), said: `email:${value}@example.com` })),
    word.map((value) => ({ made: dns(value), said: `DNS:${value}` })),
    word.map((value) => ({ made: uri(`https://${value}/`), said: `URI:https://${value}/` })),
  );
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 8 }), fc.boolean(), (names, critical) => {
      const value = der(0x04, sequence(...names.map(({ made }) => made)));
      const parts = critical ? [der(0x01, Uint8Array.of(255)), value] : [value];
      const certificate = certificateOf(publicKey, sequence(oid(ALTERNATIVE_NAMES), ...parts));
      const read = parseCertificate(certificate, 'it');
      const theirs = new X509Certificate(certificate);
      assert.deepEqual(Buffer.from(read.spki), theirs.publicKey.export({ format: 'der', type: 'spki' }));
      const said = names.map((one) => one.said).join(', ');
      assert.equal(theirs.subjectAltName, said);
      const prefixes: Record<string, string> = { email: 'email', dns: 'DNS', uri: 'URI' };
      const ours = read.keys.map((key) => (key.name === 'san' ? `${prefixes[key.type]}:${key.value}` : key.name));
      assert.equal(ours.join(', '), said);
    }),
    { numRuns: 100 },
  );
});

test('a certificate for a key that we refuse is refused', async () => {
  const { publicKey: other } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const certificate = certificateAround(other.export({ format: 'der', type: 'spki' }));
  const request: Sendable = hashedRekord(SIGNERS.p256, utf8('x'), verifierOf(SIGNERS.p256, certificate));
  await assert.rejects(accept(request), /the key of .*x509Certificate is no public key/);
});

test('the lookup keys of an entry are its digest and its key', async () => {
  const { keys } = await accept(hashedRekord(SIGNERS.p384, utf8('x')));
  assert.deepEqual(keys, [
    { name: 'digest', algorithm: 'sha384', digest: Uint8Array.from(digest('sha384', utf8('x'))) },
    { name: 'spki', sha256: Uint8Array.from(digest('sha256', spkiOf(SIGNERS.p384))) },
  ]);
});
