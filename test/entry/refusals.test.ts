/** What is refused, and whether the message says why: the reader of it has nothing else. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { parseProposal } from '../../src/entry/index.ts';
import { ALTERNATIVE_NAMES, certificateOf, dns, email, extension } from './certificates.ts';
import { integer, oid, sequence } from './der-writer.ts';
import {
  accept,
  base64,
  bodyOf,
  dsseRequest,
  ed25519Signer,
  hashedRekord,
  type Sendable,
  SIGNERS,
  spkiOf,
  utf8,
  verifierOf,
} from './proposals.ts';

const MESSAGE = utf8('hello, world!');
const { p256, p384, rsa2048, ed25519ph } = SIGNERS;
const NAMES = extension(ALTERNATIVE_NAMES, sequence(email('a@example.com')));

async function refused(request: Sendable, code: string, message: RegExp, options?: object): Promise<void> {
  await assert.rejects(accept(request, options), (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** A request in which one field of hashedRekordRequestV002 is another. */
function withDigest(digest: Uint8Array): Sendable {
  const { hashedRekordRequestV002 } = hashedRekord(p256, MESSAGE) as { hashedRekordRequestV002: Sendable };
  return { hashedRekordRequestV002: { ...hashedRekordRequestV002, digest: base64(digest) } };
}

test('every kind of key is accepted, bare and in a certificate', async () => {
  for (const signer of Object.values(SIGNERS)) {
    const bare = await bodyOf(hashedRekord(signer, MESSAGE));
    assert.ok(bare.includes(`"keyDetails":"${signer.keyDetails}","publicKey":{"rawBytes":"`), bare);
    assert.ok(bare.includes(`"algorithm":"SHA2_${signer.hash.slice(3)}"`), bare);
    const certificate = certificateOf(signer.publicKey, NAMES);
    const certified = await bodyOf(hashedRekord(signer, MESSAGE, verifierOf(signer, certificate)));
    assert.ok(certified.includes(`"x509Certificate":{"rawBytes":"${base64(certificate)}"}`), certified);
  }
});

test('a wrong signature is told from every other error', async () => {
  await refused(withDigest(new Uint8Array(32)), 'invalid-proof', /signature.content: the key did not sign this digest/);
  const other = hashedRekord(p256, MESSAGE, { ...verifierOf(rsa2048), keyDetails: p256.keyDetails });
  await refused(other, 'invalid-proof', /did not sign/);
  await refused(dsseRequest(MESSAGE, { ...p256, sign: () => utf8('x') }), 'invalid-proof', /signatures\[0\].sig: none/);
});

test('a digest of the wrong length is refused with both lengths', async () => {
  await refused(withDigest(new Uint8Array(20)), 'malformed', /digest: has 20 bytes, but .* SHA2_256.* have 32/);
  await refused(withDigest(new Uint8Array(64)), 'malformed', /digest: has 64 bytes/);
});

test('a kind that this log does not take is refused with those that it does', async () => {
  const only = { kinds: ['hashedrekord'] };
  await refused(
    dsseRequest(MESSAGE, p256),
    'malformed',
    /dsseRequestV002: this log takes no .* but hashedrekord/,
    only,
  );
  await refused({ rawRequestV001: { content: 'AA==' } }, 'malformed', /rawRequestV001: this log takes no/, only);
  await refused({ intotoRequestV002: {} }, 'malformed', /unknown field "intotoRequestV002"/);
  assert.throws(() => parseProposal(utf8(JSON.stringify(dsseRequest(MESSAGE, p256)))), { code: 'malformed' });
});

test('an entry above 65,535 bytes is refused before anything is logged', async () => {
  const request = (names: number): Sendable => {
    const many = Array.from({ length: names }, (_, i) => dns(`host-${i}.an-example.example.com`));
    const certificate = certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(...many)));
    return hashedRekord(p256, MESSAGE, verifierOf(p256, certificate));
  };
  await refused(request(1_700), 'limit', /the entry would have \d+ bytes, above the 65535 that a log can hold/);
  await refused(request(2_400), 'limit', /x509Certificate.rawBytes: has \d+ bytes, above the 65535/);
});

test('a label that does not go with the key is refused with both', async () => {
  const labelled = (signer: typeof p256, keyDetails: string): Sendable =>
    hashedRekord(signer, MESSAGE, { ...verifierOf(signer), keyDetails });
  await refused(labelled(p384, 'PKIX_ECDSA_P256_SHA_256'), 'malformed', /P256_SHA_256 does not go with .*on P-384/);
  await refused(labelled(rsa2048, 'PKIX_ECDSA_P384_SHA_384'), 'malformed', /does not go with an RSA key of 2048 bits/);
  await refused(labelled(ed25519ph, 'PKIX_ECDSA_P256_SHA_256'), 'malformed', /does not go with an Ed25519 key/);
  await refused(labelled(p256, 'PKIX_ED25519'), 'malformed', /does not go with an ECDSA key on P-256/);
  await refused(labelled(ed25519ph, 'PKIX_ED25519'), 'malformed', /the message, which is not here.*PKIX_ED25519_PH/);
});

test('as upstream, a label counts for its hash alone: sigstore-js labels RSA keys as P-256', async () => {
  const verifier = { ...verifierOf(rsa2048), keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
  assert.match(await bodyOf(hashedRekord(rsa2048, MESSAGE, verifier)), /"keyDetails":"PKIX_ECDSA_P256_SHA_256"/);
});

test('a certificate cut off anywhere is refused, and so is one with bytes behind it', async () => {
  const certificate = certificateOf(p256.publicKey, NAMES);
  const ask = (bytes: Uint8Array): Promise<void> =>
    refused(hashedRekord(p256, MESSAGE, verifierOf(p256, bytes)), 'malformed', /x509Certificate/);
  for (let length = 1; length < certificate.length; length++) await ask(certificate.subarray(0, length));
  await ask(Uint8Array.from([...certificate, 0]));
  await refused(
    hashedRekord(p256, MESSAGE, verifierOf(p256, certificate.subarray(0, 100))),
    'malformed',
    /x509Certificate is cut off: \d+ bytes are missing/,
  );
});

test('a key where a certificate belongs, the other way round, and PEM are named', async () => {
  const certificate = certificateOf(p256.publicKey, NAMES);
  const swapped = (field: string, bytes: Uint8Array): Sendable =>
    hashedRekord(p256, MESSAGE, { [field]: { rawBytes: base64(bytes) }, keyDetails: p256.keyDetails });
  await refused(swapped('x509Certificate', spkiOf(p256)), 'malformed', /x509Certificate/);
  await refused(swapped('publicKey', certificate), 'malformed', /publicKey/);
  const pem = p256.publicKey.export({ format: 'pem', type: 'spki' });
  await refused(swapped('publicKey', utf8(String(pem))), 'malformed', /publicKey is PEM; send the DER/);
  await refused(swapped('x509Certificate', utf8('-----BEGIN CERTIFICATE-----')), 'malformed', /is PEM/);
});

test('the outline of a certificate, without anything in it, is no certificate', async () => {
  const empty = sequence();
  const outline = sequence(sequence(integer(1n), empty, empty, empty, empty, spkiOf(p256)));
  const request = hashedRekord(p256, MESSAGE, verifierOf(p256, outline));
  await refused(request, 'malformed', /has the outline of a certificate, but OpenSSL cannot read it/);
  const padded = sequence(sequence(integer(1n), empty, empty, empty, empty, spkiOf(p256), oid('1.2.3')));
  await refused(hashedRekord(p256, MESSAGE, verifierOf(p256, padded)), 'malformed', /has more than a certificate has/);
});

test('pure Ed25519 signs an envelope, whose message is at hand', async () => {
  const signer = ed25519Signer();
  assert.match(await bodyOf(dsseRequest(MESSAGE, signer)), /"keyDetails":"PKIX_ED25519"/);
  const wrong = dsseRequest(MESSAGE, { ...signer, sign: (message) => signer.sign(message.subarray(1)) });
  await refused(wrong, 'invalid-proof', /none of the verifiers/);
});

test('nothing in an entry is ever fetched: the room has nothing to fetch with', () => {
  const room = new URL('../../src/entry/', import.meta.url);
  const files = readdirSync(room);
  for (const file of files) {
    const source = readFileSync(new URL(file, room), 'utf8');
    const found = /\bfetch\(|XMLHttpRequest|WebSocket|'node:(?:https?|http2|net|tls|dns|dgram|fs|child_process)/.exec(
      source,
    );
    assert.equal(found?.[0], undefined, file);
  }
  assert.ok(files.length > 20, 'the files were found');
});
