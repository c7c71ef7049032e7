/** A server whose patience tests can see and shorten. */

import assert from 'node:assert/strict';
import nodeHttp, { type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { TestContext } from 'node:test';
import { startServer, type TestServer } from './post.ts';

/** How often Node looks unless told, in ms (nodejs.org/api/http.html, `connectionsCheckingInterval`). */
const LOOKING_MS = 30_000;

/** The server's own HTTP server, and how often it looks for requests that take too long, in ms. */
export async function startWatched(t: TestContext): Promise<{ server: TestServer; http: Server; lookingMs: number }> {
  const made: Server[] = [];
  let lookingMs = Number.NaN;
  const { createServer } = nodeHttp;
  t.mock.method(nodeHttp, 'createServer', (options: ServerOptions | undefined, listener: RequestListener) => {
    lookingMs = options?.connectionsCheckingInterval ?? LOOKING_MS;
    const http = createServer({ ...options, connectionsCheckingInterval: 20 }, listener);
    made.push(http);
    return http;
  });
  const server = await startServer(t);
  const [http] = made;
  assert.ok(http);
  return { server, http, lookingMs };
}
