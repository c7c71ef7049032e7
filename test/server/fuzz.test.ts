/** FUZZ-6, over HTTP: whatever is sent, it is logged and proven, or the client is told that it was wrong. */

import assert from 'node:assert/strict';
import { Agent, METHODS } from 'node:http';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
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
import { type Answer, ask, errorOf, post, startServer, type TestServer, verified } from './post.ts';

const { p256, rsa2048, ed25519ph } = SIGNERS;
const CERTIFICATE = certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(dns('a.example.com'))));
const REQUESTS: readonly Sendable[] = [
  hashedRekord(p256, utf8('x')),
  hashedRekord(p256, utf8('x'), verifierOf(p256, CERTIFICATE)),
  hashedRekord(rsa2048, utf8('x')),
  hashedRekord(ed25519ph, utf8('x')),
  dsseRequest(utf8('{"a":1}'), p256, rsa2048),
  { rawRequestV001: { content: base64(utf8('some text')) } },
];
const request = fc.constantFrom(...REQUESTS);
const requestBytes = request.map((value) => utf8(JSON.stringify(value)));
const place = fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true });

/** Bytes of a request of which a few are others. */
const flipped = fc
  .tuple(requestBytes, fc.array(fc.tuple(place, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 }))
  .map(([bytes, flips]) => {
    const changed = Uint8Array.from(bytes);
    for (const [at, bits] of flips) {
      const i = Math.floor(at * changed.length);
      changed[i] = (changed[i] ?? 0) ^ bits;
    }
    return changed;
  });

const truncated = fc.tuple(requestBytes, place).map(([bytes, at]) => bytes.subarray(0, Math.floor(at * bytes.length)));

/** Bytes of one request in the middle of another. */
const crossed = fc.tuple(requestBytes, requestBytes, place, place).map(([one, other, from, to]) => {
  const head = one.subarray(0, Math.floor(from * one.length));
  return Uint8Array.from([...head, ...other.subarray(Math.floor(to * other.length))]);
});

/** Values that readers of JSON and of protocol buffers stumble over, as JSON. */
const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
  fc.constantFrom(
    'null',
    'true',
    '-0',
    '1e999999',
    '0.1e-7',
    '"\\ud800"',
    '"\\u0000"',
    '[[]]',
    '{"a":1,"a":2}',
    '',
    'NaN',
  ),
  fc.integer({ min: 1, max: 400 }).map((digits) => '9'.repeat(digits)),
  fc.integer({ min: 1, max: 40 }).map((depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`),
  fc.uint8Array({ maxLength: 70_000, size: 'max' }).map((bytes) => `"${base64(bytes)}"`),
);

/** The text of a request in which one value, deep or not, is another; or stands twice. */
const replaced = fc
  .tuple(request, fc.array(fc.nat(3), { maxLength: 6 }), odd, fc.boolean())
  .map(([value, path, by, twice]) => {
    const write = (one: unknown, [step, ...rest]: readonly number[]): string => {
      if (step === undefined || typeof one !== 'object' || one === null || Object.keys(one).length === 0) return by;
      const members = Object.entries(one);
      const chosen = step % members.length;
      const written = members.map(([name, member], i) => {
        const text = i === chosen ? write(member, rest) : JSON.stringify(member);
        if (Array.isArray(one)) return text;
        return i === chosen && twice
          ? `${JSON.stringify(name)}:${text},${JSON.stringify(name)}:${text}`
          : `${JSON.stringify(name)}:${text}`;
      });
      return Array.isArray(one) ? `[${written.join()}]` : `{${written.join()}}`;
    };
    return utf8(write(value, path));
  });

/** Text that nests very deep, closed or not. */
const nested = fc
  .tuple(
    fc.integer({ min: 30, max: 200_000 }),
    fc.constantFrom(['[', ']'], ['{"a":', '}'], ['{"rawRequestV001":', '}']),
    fc.boolean(),
  )
  .map(([depth, [open = '', close = ''], closed]) =>
    utf8(open.repeat(depth) + (closed ? `0${close.repeat(depth)}` : '')),
  );

const BODIES: Readonly<Record<string, { readonly body: fc.Arbitrary<Uint8Array>; readonly runs: number }>> = {
  'with a few other bytes': { body: flipped, runs: 250 },
  'cut off': { body: truncated, runs: 100 },
  'of two requests': { body: crossed, runs: 100 },
  'with another value': { body: replaced, runs: 400 },
  'that is JSON': { body: fc.json({ maxDepth: 5 }).map(utf8), runs: 100 },
  'of any bytes': { body: fc.uint8Array({ maxLength: 3_000 }), runs: 100 },
  'that nests deep': { body: nested, runs: 40 },
};

/** A seed that a failure can be repeated with: STELE_FUZZ_SEED=… */
function seedOf(t: TestContext): number {
  const seed = Number(process.env['STELE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`seed ${seed}`);
  return seed;
}

async function startFuzzed(t: TestContext): Promise<{ server: TestServer; agent: Agent }> {
  const server = await startServer(t, { entries: { proposals: ALL_KINDS } });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  return { server, agent };
}

/** Fails unless the entry was logged, or the client was told that it was wrong. */
async function assertTold(answer: Answer): Promise<void> {
  if (answer.status === 201) {
    await verified(answer);
    return;
  }
  assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status}: ${answer.body}`);
  const { message } = errorOf(answer);
  assert.ok(message.length > 0 && message.length < 1_000, `a message of ${message.length} characters`);
}

for (const [what, { body, runs }] of Object.entries(BODIES)) {
  test(`a request ${what} is never answered with 5xx (FUZZ-6)`, async (t) => {
    const { server, agent } = await startFuzzed(t);
    const sent = fc.asyncProperty(body, async (bytes) => assertTold(await post(server, bytes, { agent })));
    await fc.assert(sent, { numRuns: runs, seed: seedOf(t) });
    assert.deepEqual(server.told, []);
    const after = await post(server, REQUESTS[0] ?? {});
    assert.equal((await verified(after)).entry?.kind, 'hashedrekord');
  });
}

test('a request with other methods, paths and headers is never answered with 5xx (FUZZ-6)', async (t) => {
  const { server, agent } = await startFuzzed(t);
  const token = fc.stringMatching(/^[ -~]{0,40}$/);
  const headers = fc.dictionary(
    fc.constantFrom(
      'content-type',
      'content-encoding',
      'authorization',
      'expect',
      'range',
      'accept',
      'x-forwarded-for',
      'cookie',
    ),
    token,
    { maxKeys: 3 },
  );
  const method = fc.oneof(fc.constant('POST'), fc.constantFrom(...METHODS.filter((one) => one !== 'CONNECT')));
  const path = fc.oneof(
    fc.constant('api/v2/log/entries'),
    fc.stringMatching(/^[!-~]{0,30}$/),
    fc.webPath().map((one) => `api/v2${one}`),
  );
  const sent = fc.asyncProperty(method, path, headers, requestBytes, async (method, path, given, bytes) => {
    const options = { method, agent, path: `/${path}`, headers: { 'content-length': String(bytes.length), ...given } };
    const { status } = await ask(server.url, options, bytes);
    assert.ok((status >= 200 && status < 300) || (status >= 400 && status < 500), `${method} ${path}: ${status}`);
  });
  await fc.assert(sent, { numRuns: 400, seed: seedOf(t) });
  assert.deepEqual(server.told, []);
});
