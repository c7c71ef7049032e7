/** A web server for a log, which can be told to serve it in one way badly. */

import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { metaFor } from '../../src/store/index.ts';
import type { TestLog } from './test-log.ts';

export interface Request {
  readonly method: string;
  /** Without the leading slash and the query. */
  readonly key: string;
  readonly query: string;
  readonly headers: IncomingHttpHeaders;
  /** How often this key was asked for before. */
  readonly before: number;
}

export interface Response {
  status: number;
  /** Lower-case names. */
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Changes what a good server would answer. */
export type Misbehaviour = (response: Response, request: Request) => void;

/** Serves `log` and a log.json as they should be served, then as `misbehave` makes it; returns the base URL. */
export async function serveBadly(t: TestContext, log: TestLog, misbehave: Misbehaviour = () => {}): Promise<string> {
  const counts = new Map<string, number>();
  const server = createServer((incoming, outgoing) => {
    const { pathname, search } = new URL(incoming.url ?? '', 'http://log');
    const key = pathname.slice(1);
    const before = counts.get(key) ?? 0;
    counts.set(key, before + 1);
    const request = { method: incoming.method ?? '', key, query: search, headers: incoming.headers, before };
    const response = goodAnswer(log, request);
    misbehave(response, request);
    const { status, body, headers } = response;
    outgoing.sendDate = headers['date'] === undefined;
    const length = headers['content-length'] ?? String(body.length);
    outgoing.writeHead(status, status === 304 ? headers : { ...headers, 'content-length': length });
    outgoing.end(request.method === 'HEAD' || status === 304 ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** The bytes of a response compressed, with the header that says so. */
export function compress(response: Response): void {
  response.body = gzipSync(response.body);
  response.headers['content-encoding'] = 'gzip';
}

function goodAnswer(log: TestLog, { key, headers, before }: Request): Response {
  const body = objectOf(log, key);
  const open = { 'access-control-allow-origin': '*' };
  if (body === undefined) {
    // Examiners ask twice with a pause between, which tests do not sit out.
    const date = new Date(Date.now() + before * 2_000).toUTCString();
    const kept = { ...open, date, 'content-type': 'text/plain', 'cache-control': 'no-store' };
    return { status: 404, headers: kept, body: Buffer.from('not found\n') };
  }
  const { contentType, cacheControl } = metaFor(key);
  const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
  return {
    status: headers['if-none-match'] === etag ? 304 : 200,
    headers: { ...open, 'content-type': contentType, 'cache-control': cacheControl, etag },
    body,
  };
}

function objectOf(log: TestLog, key: string): Uint8Array | undefined {
  if (key === 'log.json') return Buffer.from('{}');
  return key === 'checkpoint' || key.startsWith('tile/') ? log.object(key) : undefined;
}
