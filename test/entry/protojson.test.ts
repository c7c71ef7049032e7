/** The rules of protojson for input, one by one: a request in any of these forms is the same entry, or is refused. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { bodyOf, dsseRequest, hashedRekord, type Sendable, SIGNERS, utf8 } from './proposals.ts';

const MESSAGE = utf8('hello, world!');
const REQUEST = hashedRekord(SIGNERS.p256, MESSAGE);
const TEXT = JSON.stringify(REQUEST);
const BODY = await bodyOf(REQUEST);
const DSSE = JSON.stringify(dsseRequest(MESSAGE, SIGNERS.p256));

/** The request with the text of one part replaced. */
function changed(from: string | RegExp, to: string, text = TEXT): string {
  const result = text.replace(from, to);
  assert.notEqual(result, text, `${from} is in the request`);
  return result;
}

async function refused(request: string | Uint8Array, message: RegExp, code = 'malformed'): Promise<void> {
  await assert.rejects(bodyOf(request), (error: Error & { code?: string }) => {
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Every name as it stands in the .proto files. */
function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [
    name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    snakeCase(member),
  ]);
  return Object.fromEntries(members);
}

test('names may be in snake_case', async () => {
  const request = snakeCase(REQUEST) as Sendable;
  assert.ok('hashed_rekord_request_v002' in request);
  assert.equal(await bodyOf(request), BODY);
  assert.equal(await bodyOf(JSON.stringify(snakeCase(JSON.parse(DSSE)))), await bodyOf(DSSE));
});

test('names in other forms are unknown', async () => {
  await refused(
    changed('hashedRekordRequestV002', 'HashedRekordRequestV002'),
    /unknown field "HashedRekordRequestV002"/,
  );
  await refused(changed('keyDetails', 'key-details'), /verifier: has an unknown field "key-details"/);
});

test('an unknown field is an error, wherever it is, and also when it is null', async () => {
  await refused(`{"apiVersion":"0.0.1",${TEXT.slice(1)}`, /^the request: has an unknown field "apiVersion"/);
  await refused(
    changed('"digest":', '"extra":null,"digest":'),
    /hashedRekordRequestV002: has an unknown field "extra"/,
  );
  await refused(changed('"rawBytes":', '"__proto__":{},"rawBytes":'), /publicKey: has an unknown field "__proto__"/);
});

test('a repeated member is an error, and so is one name in both forms', async () => {
  await refused(changed('"digest":', '"digest":"AA==","digest":'), /has "digest" twice in one object/);
  await refused(changed('"digest":', '"\\u0064igest":"AA==","digest":'), /has "digest" twice/);
  await refused(changed('"keyDetails":', '"key_details":5,"keyDetails":'), /has keyDetails twice/);
  await refused(changed('"keyDetails":', '"key_details":null,"keyDetails":'), /has keyDetails twice/);
});

test('null is absent', async () => {
  assert.equal(await bodyOf(changed('"publicKey":', '"x509Certificate":null,"publicKey":')), BODY);
  assert.equal(await bodyOf(`{"dsseRequestV002":null,${TEXT.slice(1)}`), BODY);
  await refused(changed(/"digest":"[^"]*"/, '"digest":null'), /^hashedRekordRequestV002: has no digest/);
  await refused(changed(/"verifiers":\[.*\]/, '"verifiers":[null]', DSSE), /verifiers\[0\]: is not an object/);
});

test('two alternatives at once are an error', async () => {
  await refused(
    changed('"publicKey":', '"x509Certificate":{"rawBytes":"AA=="},"publicKey":'),
    /verifier: has several of publicKey, x509Certificate/,
  );
  await refused(`${TEXT.slice(0, -1)},${DSSE.slice(1)}`, /several of hashedRekordRequestV002, dsseRequestV002/);
});

test('enumerations are given by name or by number', async () => {
  const label = '"PKIX_ECDSA_P256_SHA_256"';
  for (const number of ['5', '5.0', '5e0', '0.5E+1']) assert.equal(await bodyOf(changed(label, number)), BODY, number);
  await refused(changed(label, '"5"'), /keyDetails: "5" is none of those/);
  await refused(changed(label, '"pkix_ecdsa_p256_sha_256"'), /is none of those/);
  await refused(changed(label, '5.5'), /keyDetails: 5.5 is none of those/);
  await refused(changed(label, '2'), /keyDetails: 2 is none of those that this log takes/);
  await refused(changed(label, '0'), /does not say which algorithm/);
  await refused(changed(label, '"PUBLIC_KEY_DETAILS_UNSPECIFIED"'), /does not say which algorithm/);
  await refused(changed(`,"keyDetails":${label}`, ''), /verifier: has no keyDetails/);
});

test('base64 is standard or URL-safe, padded or not', async () => {
  // Signatures until one has both of the characters that the alphabets differ in.
  let request = TEXT;
  const part = /"content":"([^"]*\+[^"]*\/[^"]*|[^"]*\/[^"]*\+[^"]*)"/;
  while (!part.test(request)) request = JSON.stringify(hashedRekord(SIGNERS.p256, MESSAGE));
  const body = await bodyOf(request);
  const content = part.exec(request)?.[1] ?? '';
  const urlSafe = content.replaceAll('+', '-').replaceAll('/', '_');
  for (const text of [urlSafe, content.replaceAll('=', ''), urlSafe.replaceAll('=', '')]) {
    assert.equal(await bodyOf(request.replace(content, text)), body, text);
  }
  const digest = /"digest":"([^"]*)"/.exec(request)?.[1] ?? '';
  assert.equal(await bodyOf(request.replace(digest, digest.replace(/=$/, ''))), body);
  for (const bad of [
    content.replace('+', '-'),
    `${digest}=`,
    `${digest}==`,
    `${digest.slice(0, -1)}\\n=`,
    ' AAA',
    '$$$$',
    'A',
  ]) {
    await refused(changed(/"digest":"[^"]*"/, `"digest":"${bad}"`, request), /digest: .* is not base64/);
  }
});

test('strings may use escapes, and white space is free', async () => {
  assert.equal(await bodyOf(TEXT.replaceAll('/', '\\/').replaceAll('=', '\\u003d')), BODY);
  assert.equal(await bodyOf(`\r\n\t ${TEXT.replaceAll(/([{}:,])/g, ' $1\n')} `), BODY);
});

test('wrong types are errors, with their place', async () => {
  await refused('[]', /^the request: is not an object/);
  await refused('"text"', /^the request: is not an object/);
  await refused('null', /^the request: is not an object/);
  await refused(changed(/"digest":"[^"]*"/, '"digest":7'), /hashedRekordRequestV002.digest: is not a string/);
  await refused(changed(/"verifier":\{.*"\}/, '"verifier":[]'), /signature.verifier: is not an object/);
  await refused(changed(/"verifiers":\[.*\]/, '"verifiers":{}', DSSE), /verifiers: is not a list/);
  await refused(changed('"keyid":""', '"keyid":1', DSSE), /signatures\[0\].keyid: is not a string/);
});

test('an empty request, an empty message and an empty proposal are errors', async () => {
  await refused('', /the request is empty/);
  await refused('{}', /the request: needs hashedRekordRequestV002 or dsseRequestV002/);
  await refused('{"hashedRekordRequestV002":{}}', /hashedRekordRequestV002: has no signature/);
  await refused(changed(/"digest":"[^"]*"/, '"digest":""'), /digest: is empty/);
  await refused(changed(/"content":"[^"]*"/, '"content":""'), /content: is empty/);
  await refused(changed(/"rawBytes":"[^"]*"/, '"rawBytes":""'), /publicKey.rawBytes: is empty/);
  await refused(changed(/"publicKey":\{[^}]*\},/, ''), /verifier: needs publicKey or x509Certificate/);
});

test('what is not JSON is an error that says where', async () => {
  await refused(`${TEXT}x`, /the end of the request expected at character \d+, but there is "x"/);
  await refused(TEXT.slice(0, -1), /"," or "}" expected at character \d+, but it ends/);
  await refused(TEXT.slice(0, 60), /a string that ends expected/);
  for (const bad of [
    '{,}',
    '{"a" 1}',
    '{"a":}',
    '{"a":01}',
    '{"a":+1}',
    '{"a":.5}',
    '{"a":1,}',
    "{'a':1}",
    '{a:1}',
    '[1,]',
  ]) {
    await refused(bad, /the request is not JSON: .* expected at character \d+/);
  }
  for (const bad of ['nul', 'NaN', 'Infinity', '/**/{}', '\ufeff{}', '"\t"', '"\\x41"', '"\\u12"']) {
    await refused(bad, /not JSON/);
  }
  await refused('"\\ud800"', /lone surrogate/);
  await refused(Uint8Array.of(0x22, 0xff, 0x22), /not UTF-8/);
  await refused('['.repeat(10_000), /nested more than 32 deep/, 'limit');
});

test('a long string with an escape in it is read like any other', async () => {
  const long = `\\u0041${'A'.repeat(4_000_000)}\\\\`;
  await refused(`{"${long}":1}`, /unknown field "AAAA/);
  await refused(`{"a":"${'\\"'.repeat(1_000_000)}`, /a string that ends/);
});
