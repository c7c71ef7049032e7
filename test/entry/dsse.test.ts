/** dsse 0.0.2: which signatures count, in which order they are logged, and how large an envelope may be. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { parseProposal, preAuthenticationEncoding, validate, verifySignature } from '../../src/entry/index.ts';
import { certificateOf } from './certificates.ts';
import {
  ALL_KINDS,
  accept,
  base64,
  bodyOf,
  digest,
  dsseRequest,
  hashedRekord,
  pae,
  type Sendable,
  SIGNERS,
  type TestSigner,
  utf8,
  verifierOf,
} from './proposals.ts';

const PAYLOAD = utf8('{"_type":"https://in-toto.io/Statement/v1"}');
const TYPE = 'application/vnd.in-toto+json';
const { p256, p384, rsa2048 } = SIGNERS;

interface DsseBody {
  readonly spec: { readonly dsseV002: { readonly payloadHash: Sendable; readonly signatures: readonly Sendable[] } };
}

async function specOf(request: Sendable): Promise<DsseBody['spec']['dsseV002']> {
  return (JSON.parse(await bodyOf(request)) as DsseBody).spec.dsseV002;
}

function request(signatures: readonly Uint8Array[], verifiers: readonly Sendable[], payload = PAYLOAD): Sendable {
  const envelope = {
    payload: base64(payload),
    payloadType: TYPE,
    signatures: signatures.map((sig) => ({ sig: base64(sig), keyid: 'hint' })),
  };
  return { dsseRequestV002: { envelope, verifiers } };
}

const signed = (signer: TestSigner): Uint8Array => signer.sign(pae(TYPE, PAYLOAD));

test('the pre-authentication encoding counts bytes, not characters', () => {
  assert.equal(Buffer.from(preAuthenticationEncoding('ä', utf8('ß'))).toString(), 'DSSEv1 2 ä 2 ß');
});

test('only the digest of the payload and the signatures are logged', async () => {
  const body = await bodyOf(dsseRequest(PAYLOAD, p256));
  assert.ok(!body.includes(base64(PAYLOAD)) && !body.includes('in-toto') && !body.includes('keyid'));
  const { payloadHash } = await specOf(dsseRequest(PAYLOAD, p384));
  assert.deepEqual(payloadHash, { algorithm: 'SHA2_256', digest: base64(digest('sha256', PAYLOAD)) });
});

test('the same envelope as hashedrekord over its encoding is an entry as well', async () => {
  const body = await bodyOf(hashedRekord(p256, pae(TYPE, PAYLOAD)));
  assert.ok(body.includes(base64(digest('sha256', pae(TYPE, PAYLOAD)))));
});

test('signatures are logged in ascending order, each once, with the key that made them', async () => {
  const signers = [p256, p384, rsa2048];
  const signatures = signers.map(signed);
  const byBytes = signatures.map((bytes, i) => ({ bytes, verifier: verifierOf(signers[i] ?? p256) }));
  byBytes.sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  const expected = byBytes.map(({ bytes, verifier }) => ({ content: base64(bytes), verifier }));
  const [first = utf8(''), ...rest] = signatures;
  const verifiers = signers.map((signer) => verifierOf(signer));
  const once = await specOf(request(signatures, verifiers));
  assert.deepEqual(once.signatures, expected);
  const shuffled = request([...rest, first, first], verifiers.toReversed());
  assert.equal(await bodyOf(shuffled), await bodyOf(request(signatures, verifiers)), 'one entry, however it is sent');
});

test('a signature is logged with the first verifier that it is right by', async () => {
  const bare = verifierOf(p256);
  const certified = verifierOf(p256, certificateOf(p256.publicKey));
  const signature = signed(p256);
  for (const verifiers of [
    [bare, certified],
    [certified, bare],
    [verifierOf(p384), certified, bare],
  ]) {
    const { signatures } = await specOf(request([signature], verifiers));
    const expected = verifiers.find((one) => one !== verifiers[0] || verifiers.length === 2);
    assert.deepEqual(signatures, [{ content: base64(signature), verifier: expected }]);
  }
});

test('every signature has to be right, and every verifier has to be one that could be', async () => {
  const both = [verifierOf(p256), verifierOf(p384)];
  await assert.rejects(bodyOf(request([signed(p256), utf8('x')], both)), { code: 'invalid-proof' });
  await assert.rejects(bodyOf(request([signed(p256), signed(rsa2048)], both)), { code: 'invalid-proof' });
  const unfit = { ...verifierOf(p384), keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
  await assert.rejects(bodyOf(request([signed(p256)], [verifierOf(p256), unfit])), /verifiers\[1\]: keyDetails/);
  await assert.rejects(bodyOf(request([signed(p256)], [verifierOf(p256), verifierOf(p256)])), /the same key twice/);
});

test('no signature, no verifier and more than ten of either are refused', async () => {
  const verifiers = [verifierOf(p256)];
  const missing = (of: string): RegExp => new RegExp(`${of}: is empty`);
  await assert.rejects(bodyOf(request([], verifiers)), missing('signatures'));
  await assert.rejects(bodyOf(request([signed(p256)], [])), missing('verifiers'));
  await assert.rejects(bodyOf(request([utf8('')], verifiers)), /sig: is empty/);
  const eleven = Array.from({ length: 11 }, () => signed(p256));
  await assert.rejects(bodyOf(request(eleven, verifiers)), /signatures: has 11 elements, above the 10/);
  assert.equal((await specOf(request(eleven.slice(1), verifiers))).signatures.length, 10);
  const many = Array.from({ length: 11 }, () => verifierOf(p256));
  await assert.rejects(bodyOf(request([signed(p256)], many)), /verifiers: has 11 elements/);
});

test('a payload may be empty, and no longer than the log takes', async () => {
  assert.ok(await bodyOf(dsseRequest(utf8(''), p256)));
  const options = { ...ALL_KINDS, maxPayloadBytes: 1_000 };
  assert.ok(await bodyOf(dsseRequest(new Uint8Array(1_000), p256), options));
  await assert.rejects(
    bodyOf(dsseRequest(new Uint8Array(1_001), p256), options),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'limit');
      assert.match(
        error.message,
        /envelope.payload: has 1001 bytes, above the 1000 that this log takes; log a hashedrekord/,
      );
      return true;
    },
  );
});

test('no more is verified than it takes: the first right verifier ends the search', async () => {
  let asked = 0;
  const counting = (check: Parameters<typeof verifySignature>[0]): boolean => {
    asked += 1;
    return verifySignature(check);
  };
  const sent = request([signed(p256)], [verifierOf(p256), verifierOf(p384), verifierOf(rsa2048)]);
  await validate(parseProposal(utf8(JSON.stringify(sent)), ALL_KINDS), counting);
  assert.equal(asked, 1);
});

test('the lookup keys are the payload and every signer', async () => {
  const { keys } = await accept(dsseRequest(PAYLOAD, p256, p384));
  assert.deepEqual(keys.map(({ name }) => name).toSorted(), ['digest', 'spki', 'spki']);
});
