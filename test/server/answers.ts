/** Every kind of answer to a submission: how it comes about, what it is here, and what Rekor's server answers (v2.3.0). */

import type { TestContext } from 'node:test';
import { BusyError, SteleError } from '../../src/errors.ts';
import { parseTokens, serveLog, type Writing } from '../../src/server/index.ts';
import { ALTERNATIVE_NAMES, certificateOf, dns, extension } from '../entry/certificates.ts';
import { sequence } from '../entry/der-writer.ts';
import { hashedRekord, type Sendable, SIGNERS, utf8, verifierOf } from '../entry/proposals.ts';
import { faulty, openWriter } from '../sequencer/harness.ts';
import { type Answer, ask, ENTRIES, post, proposal, startServer, type TestServerOptions } from './post.ts';

export interface Told {
  readonly what: string;
  readonly status: number;
  /** google.rpc.Code; absent: no error. */
  readonly code?: number;
  readonly message?: RegExp;
  readonly headers?: Readonly<Record<string, RegExp>>;
  /** HTTP status and google.rpc.Code of upstream, where it knows this case; a code of 0 is not in its answer. */
  readonly upstream?: readonly [status: number, code: number];
  /** It is no submission, for its method or path is another. */
  readonly elsewhere?: true;
  readonly answer: (t: TestContext) => Promise<Answer>;
}

type Log = Partial<Pick<Writing, 'submitOne'>>;
const served =
  (options: TestServerOptions, request: Sendable | string = proposal('x')) =>
  async (t: TestContext): Promise<Answer> =>
    post(await startServer(t, options), request);
const behind = (log: Log) => served({ writing: (real) => ({ ...real, ...log }) });
const failing = (error: Error) => behind({ submitOne: () => Promise.reject(error) });

/** The same request twice; the second answer. */
const twice =
  (options: TestServerOptions) =>
  async (t: TestContext): Promise<Answer> => {
    const server = await startServer(t, options);
    const request = proposal('x');
    await post(server, request);
    return post(server, request);
  };

/** An entry that no bundle could hold: its certificate has 1,700 names. */
export function tooLong(): Sendable {
  const { p256 } = SIGNERS;
  const names = Array.from({ length: 1_700 }, (_, i) => dns(`host-${i}.an-example.example.com`));
  const certificate = certificateOf(p256.publicKey, extension(ALTERNATIVE_NAMES, sequence(...names)));
  return hashedRekord(p256, utf8('x'), verifierOf(p256, certificate));
}

async function frozen(t: TestContext): Promise<Answer> {
  const server = await startServer(t);
  await (await openWriter(server.log)).sequencer.freeze();
  return post(server, proposal('x'));
}

async function readOnly(t: TestContext): Promise<Answer> {
  const { log } = await startServer(t);
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await serveLog({ store: log.publicStore, listen, public: false, onError: () => {} });
  t.after(() => server.close());
  return post(server, proposal('x'));
}

async function unpublished(t: TestContext): Promise<Answer> {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  const stalled = (operation: string) => (operation === 'replace' ? { before: () => gate.promise } : undefined);
  return served({ entries: { timeoutMs: 100 }, publicStore: (real) => faulty(real, stalled) })(t);
}

async function wrongIndex(t: TestContext): Promise<Answer> {
  const submitOne: Writing['submitOne'] = async () => ({ index: 0, duplicate: false });
  const server = await startServer(t, { writing: (real) => ({ ...real, submitOne }) });
  await server.queue.submitOne(utf8('another entry'));
  return post(server, proposal('x'));
}

const RETRY = { 'retry-after': /^[1-9]\d*$/ };

/** Upstream's words where they are kept: clients may look for them. */
export const ANSWERS: readonly Told[] = [
  { what: 'an entry', status: 201, upstream: [201, 0], answer: served({}) },
  { what: 'the same entry again', status: 201, upstream: [409, 6], answer: twice({}) },
  { what: 'no JSON', status: 400, code: 3, message: /is not JSON/, upstream: [400, 3], answer: served({}, 'x') },
  {
    what: 'no entry',
    status: 400,
    code: 3,
    message: /has no signature/,
    upstream: [400, 3],
    answer: served({}, '{"hashedRekordRequestV002":{}}'),
  },
  {
    what: 'an entry that no bundle can hold',
    status: 400,
    code: 3,
    message: /above the 65535/,
    upstream: [500, 2],
    answer: (t) => served({}, tooLong())(t),
  },
  {
    what: 'no token',
    status: 401,
    code: 16,
    message: /needs a token/,
    headers: { 'www-authenticate': /^Bearer$/ },
    answer: served({ entries: { tokens: parseTokens('a-token-that-nobody-has', 'x') } }),
  },
  {
    what: 'a path that is not there',
    elsewhere: true,
    status: 404,
    code: 5,
    message: /^not found$/,
    upstream: [404, 5],
    answer: async (t) => ask(`${(await startServer(t)).url}api/v2/index/retrieve`, { method: 'POST' }, '{}'),
  },
  {
    what: 'a frozen log',
    status: 405,
    code: 12,
    message: /^This log has been frozen, please switch to the latest log\.$/,
    upstream: [405, 0],
    answer: frozen,
  },
  {
    what: 'a server that is read only',
    status: 405,
    code: 12,
    message: /read only/,
    upstream: [405, 0],
    answer: readOnly,
  },
  {
    what: 'another method',
    elsewhere: true,
    status: 405,
    code: 12,
    message: /takes POST$/,
    headers: { allow: /^POST$/ },
    upstream: [501, 12],
    answer: async (t) => ask(`${(await startServer(t)).url}${ENTRIES}`),
  },
  {
    what: 'the same entry again, where that is a conflict',
    status: 409,
    code: 6,
    message: /^an equivalent entry already exists in the transparency log with index 0$/,
    headers: { 'x-log-index': /^0$/ },
    upstream: [409, 6],
    answer: twice({ entries: { duplicates: 'conflict' } }),
  },
  {
    what: 'a request that is too large',
    status: 413,
    code: 3,
    message: /larger than the 100 bytes/,
    upstream: [400, 3],
    answer: served({ entries: { maxBodyBytes: 100 } }),
  },
  {
    what: 'too many requests',
    status: 429,
    code: 8,
    message: /more than 1 submissions a minute/,
    headers: RETRY,
    answer: twice({ entries: { perMinute: 1 } }),
  },
  {
    what: 'a mistake of ours',
    status: 500,
    code: 13,
    message: /^internal error$/,
    upstream: [500, 13],
    answer: failing(new TypeError('secret')),
  },
  {
    what: 'a proof that is wrong',
    status: 500,
    code: 13,
    message: /^internal error$/,
    upstream: [500, 2],
    answer: wrongIndex,
  },
  {
    what: 'too much waits',
    status: 503,
    code: 14,
    message: /^9 entries wait$/,
    headers: RETRY,
    upstream: [503, 14],
    answer: failing(new BusyError('9 entries wait', 1_000)),
  },
  {
    what: 'no publication in time',
    status: 503,
    code: 14,
    message: /send it again, and it is logged once$/,
    headers: RETRY,
    upstream: [500, 2],
    answer: unpublished,
  },
  {
    what: 'a store that cannot be reached',
    status: 503,
    code: 14,
    message: /nothing is logged twice$/,
    headers: RETRY,
    upstream: [500, 2],
    answer: failing(new SteleError('unreachable', 'secret')),
  },
];
