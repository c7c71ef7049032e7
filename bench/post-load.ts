/**
 * The load of post.ts, as a process of its own that is told over IPC what to do: clients that each send one request after
 * another, over a connection of their own. Requests are whole before the clock starts, HTTP head and all, so that one
 * costs a write and a short look at the answer. (autocannon would build each request again whose body is another, and
 * does not wait for Retry-After.)
 */

import { generateKeyPairSync, hash, type KeyObject, sign } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the process is told: to have so many requests ready, or to send them. One at a time. */
export type Order = { readonly prepare: number } | { readonly run: Run };

export interface Run {
  readonly port: number;
  /** The server's process, whose processor time is measured. */
  readonly pid: number;
  readonly clients: number;
  /** Until the measured time begins. */
  readonly warmUpMs: number;
  readonly measuredMs: number;
}

/** What came of a run. "Measured" is what was answered in the measured time. */
export interface RunResult {
  /** From the last byte sent to the last one received, of each measured 201. */
  readonly latenciesMs: Float64Array;
  /** What these 201s took of their clients' time: each since the client's one before, refusals and all. */
  readonly clientMs: number;
  /** Other measured answers by status; `lost`: the connection ended before the answer did. */
  readonly others: Readonly<Record<string, number>>;
  /** `logIndex` of every 201, measured or not. */
  readonly indexes: Float64Array;
  /** Requests that got no 201 in the end, and may be logged all the same. */
  readonly unsettled: number;
  /** Processor time of the measured time, in ms. */
  readonly serverCpuMs: number;
  readonly loadCpuMs: number;
}

/** As many as a server with a cache of keys would hardly keep; a key for each request would double what signing takes. */
const KEYS = 1_000;
/** Connections that are opened at a time: fewer than any listen backlog. */
const OPENING = 100;
/** Longer than a server keeps anybody waiting. */
const SILENCE_MS = 30_000;
/** The unit of /proc/PID/stat on every Linux. */
const TICK_MS = 10;

interface Answer {
  readonly status: number;
  readonly retryAfterMs: number;
  /** The server ends the connection with this answer. */
  readonly closes: boolean;
  /** Of a 201; else NaN. */
  readonly index: number;
}

const LOST: Answer = { status: 0, retryAfterMs: 0, closes: true, index: Number.NaN };

interface SigningKey {
  readonly privateKey: KeyObject;
  /** As it stands in requests. */
  readonly rawBytes: string;
}

/** Signed requests. Each is sent once to each server: what no server has had yet is kept for the next run. */
class Requests {
  readonly #keys: readonly SigningKey[] = Array.from({ length: KEYS }, signingKey);
  #ready: Buffer[] = [];
  #signed = 0;
  #sent = 0;
  #mostSent = 0;

  /** For the next runs, until this is called again: they all send the same. */
  prepare(count: number): void {
    this.#ready = this.#ready.slice(this.#mostSent);
    this.#mostSent = 0;
    while (this.#ready.length < count) this.#ready.push(this.#sign());
  }

  /** The next run begins, against another server. */
  rewind(): void {
    this.#sent = 0;
  }

  next(): Buffer {
    const request = this.#ready[this.#sent++];
    if (request === undefined) throw new Error(`${this.#ready.length} signed requests were not enough: raise --most`);
    this.#mostSent = Math.max(this.#mostSent, this.#sent);
    return request;
  }

  #sign(): Buffer {
    const artifact = Buffer.from(`artifact ${this.#signed}`);
    const key = this.#keys[this.#signed++ % KEYS];
    if (key === undefined) throw new Error('There are no keys.');
    const content = sign('sha256', artifact, key.privateKey).toString('base64');
    const verifier = { publicKey: { rawBytes: key.rawBytes }, keyDetails: 'PKIX_ECDSA_P256_SHA_256' };
    const digest = hash('sha256', artifact, 'base64');
    const body = JSON.stringify({ hashedRekordRequestV002: { digest, signature: { content, verifier } } });
    return Buffer.from(
      `POST /api/v2/log/entries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
}

function signingKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, rawBytes: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') };
}

/** A connection on which one request at a time is answered. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer | undefined;
  #asked: PromiseWithResolvers<Answer> | undefined;
  #ended = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(SILENCE_MS, () => socket.destroy());
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#settle(LOST));
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Connection(socket));
      });
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Never rejects: a connection that ends is an answer, too. */
  ask(request: Buffer): Promise<Answer> {
    const asked = Promise.withResolvers<Answer>();
    this.#asked = asked;
    this.#socket.write(request);
    return asked.promise;
  }

  end(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#received === undefined ? chunk : Buffer.concat([this.#received, chunk]);
    const answer = parseAnswer(bytes);
    this.#received = answer === undefined ? bytes : undefined;
    if (answer?.closes) this.#socket.destroy();
    if (answer !== undefined) this.#settle(answer);
  }

  #settle(answer: Answer): void {
    this.#ended ||= answer.closes;
    this.#asked?.resolve(answer);
    this.#asked = undefined;
  }
}

/** Undefined while there is more to come. */
function parseAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const end = bodyEnd(bytes, headEnd + 4, head);
  if (end > bytes.length) return undefined;
  const status = Number(head.slice(9, 12));
  return {
    status,
    retryAfterMs: 1_000 * Number(/\r\nretry-after: *(\d+)/i.exec(head)?.[1] ?? 1),
    closes: /\r\nconnection: *close/i.test(head),
    index: status === 201 ? indexIn(bytes, headEnd) : Number.NaN,
  };
}

/** Where a body ends that begins at `start`; infinity: that is not known yet. */
function bodyEnd(bytes: Buffer, start: number, head: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return start + Number(length);
  if (!/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`An answer without an end: ${head}`);
  for (let at = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return Number.POSITIVE_INFINITY;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    at = lineEnd + 2 + size + 2; // the last chunk is empty, and no trailers follow
    if (size === 0) return at;
  }
}

/** The first `logIndex` of an entry, which is its first field: no JSON parser, and no chunk's edge, is in the way. */
function indexIn(bytes: Buffer, from: number): number {
  const at = bytes.indexOf('"logIndex"', from);
  const index = /^"logIndex": *"(\d+)"/.exec(bytes.toString('latin1', at, at + 40))?.[1];
  if (index === undefined) throw new Error(`A 201 without a logIndex: ${bytes.toString('latin1', from)}`);
  return Number(index);
}

/** What is counted while a run goes on. */
class Tally {
  readonly #beginMs: number;
  readonly #endMs: number;
  readonly #latenciesMs: number[] = [];
  readonly #indexes: number[] = [];
  readonly #others: Record<string, number> = {};
  #clientMs = 0;
  #unsettled = 0;

  constructor({ warmUpMs, measuredMs }: Run) {
    this.#beginMs = performance.now() + warmUpMs;
    this.#endMs = this.#beginMs + measuredMs;
  }

  get isOver(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** `turnMs`: when the client was last free to send something new. */
  answered({ status, index }: Answer, sentMs: number, turnMs: number): void {
    const now = performance.now();
    const measured = now >= this.#beginMs && now < this.#endMs;
    if (status === 201) {
      this.#indexes.push(index);
      if (!measured) return;
      this.#latenciesMs.push(now - sentMs);
      this.#clientMs += now - turnMs;
    } else if (measured) {
      const name = status === LOST.status ? 'lost' : String(status);
      this.#others[name] = (this.#others[name] ?? 0) + 1;
    }
  }

  gaveUp(): void {
    this.#unsettled += 1;
  }

  result(): Omit<RunResult, 'serverCpuMs' | 'loadCpuMs'> {
    return {
      latenciesMs: Float64Array.from(this.#latenciesMs),
      clientMs: this.#clientMs,
      others: this.#others,
      indexes: Float64Array.from(this.#indexes),
      unsettled: this.#unsettled,
    };
  }
}

async function runLoad(requests: Requests, run: Run): Promise<RunResult> {
  requests.rewind();
  const connections: Connection[] = [];
  while (connections.length < run.clients) {
    const count = Math.min(OPENING, run.clients - connections.length);
    connections.push(...(await Promise.all(Array.from({ length: count }, () => Connection.open(run.port)))));
  }
  const tally = new Tally(run);
  const used = processorTimes(run);
  await Promise.all(connections.map((connection) => runClient(connection, run.port, requests, tally)));
  return { ...tally.result(), ...(await used) };
}

async function runClient(first: Connection, port: number, requests: Requests, tally: Tally): Promise<void> {
  let connection = first;
  let turnMs = performance.now();
  while (!tally.isOver) {
    const request = requests.next();
    let status = 503;
    while (status === 503 && !tally.isOver) {
      if (connection.ended) connection = await Connection.open(port);
      const sentMs = performance.now();
      const answer = await connection.ask(request);
      tally.answered(answer, sentMs, turnMs);
      status = answer.status;
      if (status === 503) await sleep(answer.retryAfterMs);
    }
    if (status === 201) turnMs = performance.now();
    else tally.gaveUp();
  }
  connection.end();
}

/** Of the measured time: what a server takes says more than a rate does on a machine that others use, too. */
async function processorTimes({
  pid,
  warmUpMs,
  measuredMs,
}: Run): Promise<Pick<RunResult, 'serverCpuMs' | 'loadCpuMs'>> {
  await sleep(warmUpMs);
  const serverMs = await processorMs(pid);
  const load = process.cpuUsage();
  await sleep(measuredMs);
  const { user, system } = process.cpuUsage(load);
  return { serverCpuMs: (await processorMs(pid)) - serverMs, loadCpuMs: (user + system) / 1_000 };
}

/** Of all its threads; NaN where there is no /proc. */
async function processorMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // from the third one on: the second has any characters
  return TICK_MS * (Number(fields[11]) + Number(fields[12]));
}

const requests = new Requests();
process.on('message', async (order: Order) => {
  if ('prepare' in order) {
    requests.prepare(order.prepare);
    process.send?.('ready');
  } else {
    process.send?.(await runLoad(requests, order.run));
  }
});
process.on('disconnect', () => process.exit());
