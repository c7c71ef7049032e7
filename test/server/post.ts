/** A log in memory with its sequencer and its server, all in this process, and those who send to it. */

import assert from 'node:assert/strict';
import { type IncomingHttpHeaders, type RequestOptions, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { LogReader } from '../../src/client/index.ts';
import { systemClock } from '../../src/clock.ts';
import {
  type LogEntryJson,
  parseLogEntry,
  type VerifiedLogEntry,
  verifyLogEntry,
  verifySignature,
} from '../../src/entry/index.ts';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { logIdOf } from '../../src/note/index.ts';
import { MemoryQueue, QUEUE_LIMITS } from '../../src/queue/index.ts';
import { DIRECTORY_SETTINGS, Sequencer, type SequencerSettings } from '../../src/sequencer/index.ts';
import {
  type AnsweredRequest,
  type EntriesService,
  type LogServer,
  type ServeLogOptions,
  serveLog,
  type Writing,
} from '../../src/server/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { hashedRekord, type Sendable, SIGNERS, utf8 } from '../entry/proposals.ts';
import { newLog, random, signer, type TestLog, verifier } from '../sequencer/harness.ts';

const NO_RETRY = { attempts: 1, firstDelayMs: 0, maxDelayMs: 0 };

export interface TestServerOptions {
  readonly entries?: Partial<EntriesService>;
  readonly serving?: Partial<ServeLogOptions>;
  readonly settings?: Partial<SequencerSettings>;
  /** What the server is given instead of the log itself. */
  readonly writing?: (real: Writing) => Writing;
  /** What the sequencer writes to instead of the public store. */
  readonly publicStore?: (real: ObjectStore) => ObjectStore;
}

export interface TestServer {
  readonly url: string;
  readonly log: TestLog;
  readonly server: LogServer;
  readonly reader: LogReader;
  readonly queue: MemoryQueue;
  /** What the operator was told. */
  readonly told: unknown[];
  readonly answered: AnsweredRequest[];
  /** A connection for what no HTTP client would send; it is cut when the test ends. */
  connect(): RawConnection;
}

/** Starts it; all of it stops with the test. */
export async function startServer(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
  const log = await newLog();
  const queue = new MemoryQueue({ limits: QUEUE_LIMITS, clock: systemClock });
  let server: LogServer | undefined;
  const sequencer = await Sequencer.open({
    publicStore: options.publicStore?.(log.publicStore) ?? log.publicStore,
    privateStore: log.privateStore,
    queue,
    signer,
    verifier,
    clock: systemClock,
    random,
    settings: { ...DIRECTORY_SETTINGS, publishIntervalMs: 5, drainDeadlineMs: 1_000, ...options.settings },
    onCommitted: (event) => server?.metrics.onCommitted(event),
    onPublished: (event) => server?.metrics.onPublished(event),
    onRetry: (what) => server?.metrics.onRetry(what),
  });
  const stop = new AbortController();
  const ended = sequencer.run(stop.signal).catch(async (error: unknown) => {
    const frozen = isSteleError(error, 'frozen');
    await queue.close(new SteleError(frozen ? 'frozen' : 'aborted', 'the log cannot be written now'));
  });
  const real: Writing = {
    submitOne: (entry, signal) => queue.submitOne(entry, signal),
    waiting: () => queue.waiting(),
    published: () => sequencer.published,
  };
  const reader = new LogReader(log.publicStore, verifier, { retry: NO_RETRY });
  const told: unknown[] = [];
  const answered: AnsweredRequest[] = [];
  server = await serveLog({
    store: log.publicStore,
    listen: { host: '127.0.0.1', port: 0 },
    public: false,
    entries: {
      writing: options.writing?.(real) ?? real,
      reader,
      logId: logIdOf(verifier),
      verify: verifySignature,
      checksMs: () => 0,
      proposals: {},
      duplicates: 'entry',
      tokens: undefined,
      perMinute: 0,
      maxBodyBytes: 4 * 2 ** 20,
      timeoutMs: 5_000,
      staleMs: 10_000,
      ...options.entries,
    },
    onError: (error) => told.push(error),
    onAnswered: (one) => answered.push(one),
    ...options.serving,
  });
  const started = server;
  const connections: RawConnection[] = [];
  const connect = (): RawConnection => {
    const connection = new RawConnection(started.url);
    connections.push(connection);
    return connection;
  };
  t.after(async () => {
    await Promise.all(connections.map((connection) => connection.cut()));
    await started.close();
    stop.abort();
    await ended;
    await queue.close();
  });
  return { url: started.url, log, server: started, reader, queue, told, answered, connect };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Sends a request of its own connection, unless `agent` says otherwise. */
export function ask(url: string, options: RequestOptions = {}, body?: Uint8Array | string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

export const ENTRIES = 'api/v2/log/entries';

/** Submits JSON as a value, as text or as bytes. */
export function post(
  { url }: { readonly url: string },
  entry: Sendable | string | Uint8Array,
  options: RequestOptions = {},
): Promise<Answer> {
  const body = typeof entry === 'string' || entry instanceof Uint8Array ? entry : JSON.stringify(entry);
  const headers = { 'content-type': 'application/json', ...options.headers };
  return ask(`${url}${ENTRIES}`, { method: 'POST', ...options, headers }, body);
}

/** A proposal that is not like any other of this text. */
export const proposal = (text: string): Sendable => hashedRekord(SIGNERS.p256, utf8(text));

/** The answer to an entry that was logged. */
export function entryOf({ status, body }: Answer): LogEntryJson {
  assert.equal(status, 201, body.toString());
  return JSON.parse(body.toString()) as LogEntryJson;
}

/** The answer to an entry that was logged, once all that it claims was verified. */
export async function verified(answer: Answer): Promise<VerifiedLogEntry> {
  entryOf(answer);
  return verifyLogEntry(parseLogEntry(answer.body), verifier, verifySignature);
}

export interface ErrorJson {
  readonly code: number;
  readonly message: string;
}

/** The error in an answer, which has to have the form that clients of Rekor read. */
export function errorOf({ status, headers, body }: Answer): ErrorJson {
  const text = body.toString();
  assert.match(String(headers['content-type']), /^application\/json(?:;|$)/, `${status}: ${text}`);
  const { code, message, ...rest } = JSON.parse(text) as ErrorJson;
  assert.deepEqual([typeof code, typeof message, rest], ['number', 'string', { details: [] }], text);
  assert.equal(headers['cache-control'], 'no-store');
  return { code, message };
}

export class RawConnection {
  readonly #socket: Socket;
  readonly #ended = Promise.withResolvers<void>();
  /** What came back so far. */
  text = '';

  constructor(url: string) {
    const { port } = new URL(url);
    this.#socket = connect(Number(port), '127.0.0.1');
    this.#socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1');
    });
    this.#socket.on('error', () => {}); // whoever is refused may find the connection reset
    this.#socket.on('close', () => this.#ended.resolve());
  }

  send(bytes: string | Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Begins a submission of that many bytes. */
  begin(contentLength: number): void {
    this.send(`POST /${ENTRIES} HTTP/1.1\r\nHost: log\r\nContent-Length: ${contentLength}\r\n\r\n`);
  }

  /** Resolves to all that came, once the server has closed the connection. */
  async end(): Promise<string> {
    await this.#ended.promise;
    return this.text;
  }

  get isOpen(): boolean {
    return !this.#socket.closed;
  }

  cut(): Promise<void> {
    this.#socket.destroy();
    return this.#ended.promise;
  }
}

/** Resolves as soon as `holds`; fails after five seconds. */
export async function eventually(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const until = Date.now() + 5_000; !(await holds()); ) {
    assert.ok(Date.now() < until, `not within five seconds: ${what}`);
    await systemClock.sleep(5);
  }
}
