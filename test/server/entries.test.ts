/** POST /api/v2/log/entries: what is answered to whom, and that it can be believed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BusyError, isSteleError, SteleError } from '../../src/errors.ts';
import { logIdOf, toBase64 } from '../../src/note/index.ts';
import { RPC } from '../../src/server/failures.ts';
import { serveLog, type Writing } from '../../src/server/index.ts';
import { ALTERNATIVE_NAMES, certificateOf, dns, extension } from '../entry/certificates.ts';
import { sequence } from '../entry/der-writer.ts';
import {
  ALL_KINDS,
  base64,
  dsseRequest,
  hashedRekord,
  type Sendable,
  SIGNERS,
  utf8,
  verifierOf,
} from '../entry/proposals.ts';
import { faulty, openWriter, verifier } from '../sequencer/harness.ts';
import {
  type Answer,
  ask,
  ENTRIES,
  entryOf,
  errorOf,
  eventually,
  post,
  proposal,
  startServer,
  verified,
} from './post.ts';

const { p256, rsa2048, ed25519ph } = SIGNERS;
const indexOf = (answer: Answer): number => Number(entryOf(answer).logIndex);
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Every value in some JSON, by the path to it. */
function leaves(value: unknown, path = ''): [string, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  return Object.entries(value).flatMap(([name, member]) => leaves(member, path === '' ? name : `${path}.${name}`));
}

test("an entry is answered with every field of Rekor's answer, and no other", async (t) => {
  const server = await startServer(t);
  await post(server, proposal('first'));
  const answer = await post(server, proposal('second'));
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  const hash = /^[A-Za-z0-9+/]{43}=$/;
  const expected: [string, unknown][] = [
    ['logIndex', '1'],
    ['logId.keyId', toBase64(logIdOf(verifier))],
    ['kindVersion.kind', 'hashedrekord'],
    ['kindVersion.version', '0.0.2'],
    ['integratedTime', '0'],
    ['inclusionPromise', null],
    ['inclusionProof.logIndex', '1'],
    ['inclusionProof.rootHash', hash],
    ['inclusionProof.treeSize', '2'],
    ['inclusionProof.hashes.0', hash],
    [
      'inclusionProof.checkpoint.envelope',
      /^log\.example\.com\/test\n2\n[^\n]{44}\n\n— log\.example\.com\/test \S+\n$/,
    ],
    ['canonicalizedBody', /^[A-Za-z0-9+/]+=*$/],
  ];
  const found = new Map(leaves(entryOf(answer)));
  assert.deepEqual([...found.keys()].sort(), expected.map(([path]) => path).sort());
  for (const [path, value] of expected) {
    if (value instanceof RegExp) assert.match(String(found.get(path)), value, path);
    else assert.equal(found.get(path), value, path);
  }
});

test('the first entry of a log has an empty list of hashes, not none at all', async (t) => {
  const entry = entryOf(await post(await startServer(t), proposal('first')));
  assert.deepEqual([entry.logIndex, entry.inclusionProof.hashes], ['0', []]);
});

test('an answer verifies offline, for every kind of key and for a certificate', async (t) => {
  const server = await startServer(t);
  const certified = verifierOf(p256, certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(dns('a')))));
  const sent = [p256, rsa2048, ed25519ph].map((signer) => hashedRekord(signer, utf8('x')));
  for (const [index, request] of [...sent, hashedRekord(p256, utf8('y'), certified)].entries()) {
    assert.equal((await verified(await post(server, request))).index, index);
  }
});

test('the same entry again has its first index and a proof in the checkpoint that stands then', async (t) => {
  const server = await startServer(t);
  const request = proposal('again');
  const first = await verified(await post(server, request));
  for (const i of numbers(5)) await post(server, proposal(`other ${i}`));
  const again = await verified(await post(server, request));
  assert.deepEqual([first.index, first.checkpoint.size], [0, 1]);
  assert.deepEqual([again.index, again.checkpoint.size], [0, 6]);
  assert.deepEqual(again.body, first.body);
});

test('a front end, which publishes nothing itself, looks for the checkpoint that has the entry', async (t) => {
  const server = await startServer(t, { writing: ({ submitOne, waiting }) => ({ submitOne, waiting }) });
  const request = proposal('again');
  for (const i of numbers(3)) assert.equal((await verified(await post(server, proposal(`${i}`)))).index, i);
  assert.equal((await verified(await post(server, request))).index, 3);
  await post(server, proposal('later'));
  const again = await verified(await post(server, request));
  assert.deepEqual([again.index, again.checkpoint.size], [3, 5]);
});

test("where duplicates are conflicts, they are answered with upstream's message and the index", async (t) => {
  const server = await startServer(t, { entries: { duplicates: 'conflict' } });
  await post(server, proposal('other'));
  const request = proposal('again');
  assert.equal(indexOf(await post(server, request)), 1);
  const answer = await post(server, request);
  assert.deepEqual([answer.status, answer.headers['x-log-index']], [409, '1']);
  assert.deepEqual(errorOf(answer), {
    code: RPC.alreadyExists,
    message: 'an equivalent entry already exists in the transparency log with index 1',
  });
});

test('fifty submissions at once have fifty indices, and each of the answers verifies', async (t) => {
  const server = await startServer(t);
  const answers = await Promise.all(numbers(50).map((i) => post(server, proposal(`at once ${i}`))));
  const entries = await Promise.all(answers.map(verified));
  assert.deepEqual(
    entries.map(({ index }) => index).sort((a, b) => a - b),
    numbers(50),
  );
  assert.equal(new Set(entries.map(({ body }) => base64(body))).size, 50);
});

test('fifty equal submissions at once are one entry', async (t) => {
  const server = await startServer(t);
  const request = proposal('the same');
  const answers = await Promise.all(numbers(50).map(() => post(server, request)));
  assert.deepEqual(new Set((await Promise.all(answers.map(verified))).map(({ index }) => index)), new Set([0]));
  assert.equal((await server.reader.checkpoint()).size, 1);
});

test('other kinds are logged where they are turned on, and refused with those that are where not', async (t) => {
  const [all, one] = [await startServer(t, { entries: { proposals: ALL_KINDS } }), await startServer(t)];
  const requests = {
    dsse: dsseRequest(utf8('{"a":1}'), p256, rsa2048),
    raw: { rawRequestV001: { content: base64(utf8('some text')) } },
  };
  for (const [kind, request] of Object.entries(requests)) {
    const answer = await post(all, request);
    assert.equal(entryOf(answer).kindVersion.kind, kind);
    await verified(answer);
    const refused = await post(one, request);
    assert.equal(refused.status, 400);
    assert.match(errorOf(refused).message, /this log takes no entries of this kind, but hashedrekord$/);
  }
});

test('a frozen log says so to new entries, as upstream does, and still proves those that it has', async (t) => {
  const server = await startServer(t);
  const request = proposal('before');
  await post(server, request);
  await (await openWriter(server.log)).sequencer.freeze();
  const answer = await post(server, proposal('after'));
  assert.equal(answer.status, 405);
  assert.deepEqual(errorOf(answer), {
    code: RPC.unimplemented,
    message: 'This log has been frozen, please switch to the latest log.',
  });
  assert.equal((await verified(await post(server, request))).index, 0);
  assert.deepEqual(server.told, []);
});

/** The log fails in some way: what a client is told, and whether the operator is told. */
const FAILURES: readonly [what: string, error: Error, status: number, code: number, message: RegExp, told: boolean][] =
  [
    ['too much waits', new BusyError('9 entries wait', 2_500), 503, RPC.unavailable, /^9 entries wait$/, false],
    ['the log ends', new SteleError('aborted', 'shut down'), 503, RPC.unavailable, /^shut down$/, false],
    ['frozen', new SteleError('frozen', 'x'), 405, RPC.unimplemented, /^This log has been frozen/, false],
    ['no store', new SteleError('unreachable', 'secret'), 503, RPC.unavailable, /^the log cannot be reached now/, true],
    ['who knows', new SteleError('outcome-unknown', 'secret'), 503, RPC.unavailable, /nothing is logged twice$/, true],
    ['a bad receipt', new SteleError('malformed', 'secret'), 500, RPC.internal, /^internal error$/, true],
    ['a refused item', new SteleError('limit', 'secret'), 500, RPC.internal, /^internal error$/, true],
    ['a bug', new TypeError('secret'), 500, RPC.internal, /^internal error$/, true],
  ];

for (const [what, error, status, code, message, isTold] of FAILURES) {
  test(`when the log fails (${what}), the answer is ${status}, and the operator is ${isTold ? '' : 'not '}told`, async (t) => {
    const writing = (real: Writing): Writing => ({ ...real, submitOne: () => Promise.reject(error) });
    const server = await startServer(t, { writing });
    const answer = await post(server, proposal('x'));
    assert.equal(answer.status, status);
    const told = errorOf(answer);
    assert.equal(told.code, code);
    assert.match(told.message, message);
    const retryAfter = status === 503 ? (error instanceof BusyError ? '3' : '1') : undefined;
    assert.equal(answer.headers['retry-after'], retryAfter);
    assert.deepEqual(server.told, isTold ? [error] : []);
  });
}

test('whoever names a wrong index gets no proof through, and it is not the client who is told off', async (t) => {
  let named = 0;
  const submitOne: Writing['submitOne'] = async () => ({ index: named, duplicate: false });
  const server = await startServer(t, { writing: (real) => ({ ...real, submitOne }) });
  await server.queue.submitOne(utf8('another entry'));
  for (const [index, status, code] of [
    [0, 500, 'invalid-proof'],
    [-1, 500, 'not-found'],
    [0.5, 500, 'not-found'],
    [7, 503, 'unreachable'],
  ] as const) {
    named = index;
    server.told.length = 0;
    const answer = await post(server, proposal('x'));
    assert.equal(answer.status, status, String(index));
    errorOf(answer);
    assert.doesNotMatch(answer.body.toString(), /inclusionProof/);
    assert.ok(server.told.length === 1 && isSteleError(server.told[0], code), String(server.told[0]));
  }
});

/** A server whose log publishes nothing until it is let go. */
async function stalledServer(t: Parameters<typeof startServer>[0], timeoutMs: number) {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const before = (): Promise<void> => gate.promise;
  const server = await startServer(t, {
    entries: { timeoutMs },
    publicStore: (real) => faulty(real, (operation) => (operation === 'replace' ? { before } : undefined)),
  });
  return { server, release: gate.resolve };
}

test('what is not published in time is to be sent again, and then has its one index', async (t) => {
  const { server, release } = await stalledServer(t, 200);
  const request = proposal('late');
  const answer = await post(server, request);
  assert.deepEqual([answer.status, answer.headers['retry-after']], [503, '1']);
  assert.match(errorOf(answer).message, /accepted, but not published within 200 ms: send it again/);
  release();
  assert.equal((await verified(await post(server, request))).index, 0);
  assert.equal(indexOf(await post(server, proposal('next'))), 1);
});

test('a submission that waits is answered before the server closes', async (t) => {
  const { server, release } = await stalledServer(t, 5_000);
  const answer = post(server, proposal('waits'));
  await eventually(() => server.queue.waiting().entries === 1, 'the submission waits');
  const closed = server.server.close();
  release();
  assert.equal((await verified(await answer)).index, 0);
  await closed;
});

test('a request that comes while the server closes is logged, or told to come again as every other is', async (t) => {
  const { server, release } = await stalledServer(t, 5_000);
  const connection = server.connect();
  const send = (text: string): void => {
    connection.begin(text.length);
    connection.send(text);
  };
  send(JSON.stringify(proposal('waits')));
  await eventually(() => server.queue.waiting().entries === 1, 'the submission waits');
  const closed = server.server.close();
  send(JSON.stringify(proposal('too late')));
  setTimeout(release, 50); // time for the second request to arrive
  const [first = '', second = ''] = (await connection.end()).split(/(?<=\})(?=HTTP\/1\.1 )/);
  await closed;
  assert.match(first, /^HTTP\/1\.1 201 /);
  // Nothing at all: the connection was closed before it, and HTTP clients send it again.
  if (second === '' || second.startsWith('HTTP/1.1 201 ')) return;
  const [head = '', body = ''] = second.split('\r\n\r\n');
  assert.match(head, /^HTTP\/1\.1 503 /);
  assert.match(head, /^retry-after: \d+\r?$/im);
  assert.match(head, /^cache-control: no-store\r?$/im);
  assert.deepEqual({ ...JSON.parse(body), message: '' }, { code: RPC.unavailable, message: '', details: [] });
});

const members = proposal('x')['hashedRekordRequestV002'] as Sendable;
const signature = members['signature'] as Sendable;
const spoiled = (change: Sendable): Sendable => ({ hashedRekordRequestV002: { ...members, ...change } });
const certificate = certificateOf(p256.publicKey);
const withKey = (name: string, bytes: Uint8Array): Sendable =>
  hashedRekord(p256, utf8('x'), { [name]: { rawBytes: base64(bytes) }, keyDetails: p256.keyDetails });
const withNames = (count: number): Sendable => {
  const names = numbers(count).map((i) => dns(`host-${i}.an-example.example.com`));
  return withKey('x509Certificate', certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(...names))));
};
const pem = String(p256.publicKey.export({ format: 'pem', type: 'spki' }));

/** What a client may send wrongly, and why it is told to be wrong. */
const MISTAKES: readonly [what: string, request: Sendable | string | Uint8Array, message: RegExp][] = [
  ['an empty body', '', /^the request is empty$/],
  ['no JSON', 'hello', /^the request is not JSON: a value expected at character 0, but there is "hello"$/],
  ['JSON cut off', '{"hashedRekordRequestV002":{', /^the request is not JSON: .*, but it ends$/],
  ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /^the request is not UTF-8$/],
  ['no object', '[]', /^the request: is not an object$/],
  ['nothing proposed', {}, /^the request: needs hashedRekordRequestV002 or /],
  ['an unknown kind', { intotoRequestV002: {} }, /^the request: has an unknown field "intotoRequestV002"; known are /],
  ['an entry of Rekor v1', { apiVersion: '0.0.1' }, /unknown field "apiVersion"/],
  ['an unknown field', spoiled({ extra: 1 }), /^hashedRekordRequestV002: has an unknown field "extra"/],
  ['a member twice', '{"rawRequestV001":{},"rawRequestV001":{}}', /has "rawRequestV001" twice/],
  ['a field in both spellings', '{"rawRequestV001":{},"raw_request_v001":{}}', /unknown field|twice/],
  ['two kinds', { ...spoiled({}), ...dsseRequest(utf8('x'), p256) }, /has several of .*, of which one may be set$/],
  ['no signature', spoiled({ signature: null }), /^hashedRekordRequestV002: has no signature$/],
  ['a number for bytes', spoiled({ digest: 7 }), /^hashedRekordRequestV002\.digest: is not a string$/],
  ['no base64', spoiled({ digest: '%' }), /^hashedRekordRequestV002\.digest: "%" is not base64$/],
  ['a digest too short', spoiled({ digest: base64(new Uint8Array(20)) }), /has 20 bytes, but .* have 32$/],
  ['a digest too long', spoiled({ digest: base64(new Uint8Array(64)) }), /has 64 bytes, but .* have 32$/],
  ['another digest', spoiled({ digest: base64(new Uint8Array(32)) }), /signature\.content: the key did not sign/],
  ['no verifier', spoiled({ signature: { ...signature, verifier: null } }), /signature: has no verifier$/],
  [
    'a certificate cut off',
    withKey('x509Certificate', certificate.subarray(0, 100)),
    /is cut off: \d+ bytes are missin/,
  ],
  ['a certificate as key', withKey('publicKey', certificate), /publicKey/],
  ['PEM', withKey('publicKey', utf8(pem)), /publicKey is PEM; send the DER/],
  ['an entry too long', withNames(1_700), /the entry would have \d+ bytes, above the 65535 that a log can hold/],
  ['a certificate too long', withNames(2_400), /x509Certificate\.rawBytes: has \d+ bytes, above the 65535/],
];

test('a mistake of the client is answered with 400, code 3 and the reason, and the operator is not told', async (t) => {
  const server = await startServer(t);
  for (const [what, request, message] of MISTAKES) {
    const answer = await post(server, request);
    assert.equal(answer.status, 400, what);
    const error = errorOf(answer);
    assert.equal(error.code, RPC.invalidArgument, what);
    assert.match(error.message, message, what);
  }
  assert.deepEqual(server.told, []);
  assert.equal((await server.reader.checkpoint()).size, 0);
});

test('a request above the limit is answered with 413, and one at the limit is read', async (t) => {
  const server = await startServer(t, { entries: { maxBodyBytes: 2_000 } });
  const text = JSON.stringify(proposal('x'));
  assert.equal((await post(server, text.padEnd(2_000))).status, 201);
  const answer = await post(server, text.padEnd(2_001));
  assert.deepEqual([answer.status, errorOf(answer).code], [413, RPC.invalidArgument]);
  assert.match(errorOf(answer).message, /larger than the 2000 bytes that this log takes$/);
});

test('what is not there and what cannot be done are told in the form of the interface', async (t) => {
  const server = await startServer(t);
  for (const path of ['', '/', '/log', '/log/entries/', '/log/entries/0', '/log/Entries', '/index/retrieve']) {
    const answer = await ask(`${server.url}api/v2${path === '' ? '/x' : path}`, { method: 'POST' }, '{}');
    assert.deepEqual([answer.status, errorOf(answer).code], [404, RPC.notFound], path);
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'TRACE']) {
    const answer = await ask(`${server.url}${ENTRIES}`, { method });
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'POST'], method);
    assert.equal(errorOf(answer).code, RPC.unimplemented, method);
  }
});

test('a server without a log behind it says that it is read only', async (t) => {
  const log = await startServer(t);
  const server = await serveLog({
    store: log.log.publicStore,
    listen: { host: '127.0.0.1', port: 0 },
    public: false,
    onError: assert.fail,
  });
  t.after(() => server.close());
  const answer = await post(server, proposal('x'));
  assert.deepEqual([answer.status, errorOf(answer).code], [405, RPC.unimplemented]);
  assert.match(errorOf(answer).message, /read only/);
});
