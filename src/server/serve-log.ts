import type { Socket } from 'node:net';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { isSteleError, SteleError } from '../errors.ts';
import { metaFor, type ReadableStore } from '../store/index.ts';
import { parseByteRange } from './byte-range.ts';
import { entityTag, ifRangeHolds, matchMisses, noneMatchHits } from './entity-tag.ts';
import { formatListenAddress, isLoopback, type ListenAddress } from './listen-address.ts';
import { publicKey } from './log-path.ts';

export interface ServeLogOptions {
  /** The public store. */
  readonly store: ReadableStore;
  readonly listen: ListenAddress;
  /** Whether others than this machine may connect; without it an address that is not loopback is refused. */
  readonly public: boolean;
  /** Told of every request that failed on our side; the client is told no details. */
  readonly onError: (error: unknown, target: string) => void;
}

export interface LogServer {
  /** `http://127.0.0.1:8080/`, with the port that was really taken. */
  readonly url: string;
  /** Stops listening, lets requests under way finish, closes the rest. */
  close(): Promise<void>;
}

const METHODS = 'GET, HEAD, OPTIONS';
/** Most time for the headers and body of one request, and for an idle connection, in ms: reads have no body. */
const REQUEST_TIMEOUT_MS = 15_000;
const IDLE_TIMEOUT_MS = 30_000;
/** What Node's HTTP parser calls the failures that have a status of their own. */
const UNREADABLE: ReadonlyMap<string | undefined, string> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
]);

/**
 * Serves a log's public objects as static files: GET and HEAD of exactly the canonical paths of c2sp.org/tlog-tiles and
 * `log.json`, with the headers that `metaFor` tells for the object, identity bodies, one byte range, and strong entity
 * tags. What fails is `Cache-Control: no-store`, so that no cache can hide an object that comes later.
 * Throws `config` for an address that may not or cannot be listened on.
 */
export async function serveLog({ store, listen, public: isPublic, onError }: ServeLogOptions): Promise<LogServer> {
  if (!isPublic && !isLoopback(listen.host)) {
    throw new SteleError(
      'config',
      `${formatListenAddress(listen)} can be reached from other machines: choose that with --public, or listen on 127.0.0.1`,
    );
  }
  const app = fastify({
    logger: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    exposeHeadRoutes: false,
    clientErrorHandler: refuseUnreadable,
    // A target that no URL parser takes is a path that is not there, like any other.
    frameworkErrors: (_error, request, reply) => respond(request, reply),
  });
  // Everything is answered before routing and before a body is read: the raw target decides, nothing is decoded.
  app.addHook('onRequest', respond);

  async function respond(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const target = request.raw.url ?? '';
    reply.headers({ 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' });
    try {
      if (target === '/healthz') return await sendHealth(store, request.method, reply);
      const key = publicKey(target);
      if (key === undefined) return sendError(reply, 404, 'not found');
      if (request.method === 'OPTIONS') return sendPreflight(reply);
      if (request.method !== 'GET' && request.method !== 'HEAD') return sendMethodNotAllowed(reply);
      return await sendObject(store, key, request, reply);
    } catch (error) {
      onError(error, target);
      if (isSteleError(error, 'unreachable')) {
        return sendError(reply.header('retry-after', '1'), 503, 'the store cannot be reached');
      }
      // A link or a folder where an object should be: the operator was told, and readers have no object there (SERVE-2).
      if (isSteleError(error, 'corrupt')) return sendError(reply, 404, 'not found');
      return sendError(reply, 500, 'internal error');
    }
  }

  let bound: string;
  try {
    bound = await app.listen({ host: listen.host, port: listen.port });
  } catch (cause) {
    await app.close();
    throw new SteleError('config', `cannot listen on ${formatListenAddress(listen)}: ${String(cause)}`, { cause });
  }
  return { url: `${bound}/`, close: () => app.close() };
}

async function sendObject(
  store: ReadableStore,
  key: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const object = await store.get(key);
  if (object === undefined) return sendError(reply, 404, 'not found');
  const { bytes } = object;
  const meta = metaFor(key);
  const tag = entityTag(bytes);
  const asked = request.headers;
  if (matchMisses(asked['if-match'], tag)) return sendError(reply, 412, 'the object is another version');
  reply.headers({ etag: tag, 'cache-control': meta.cacheControl, 'accept-ranges': 'bytes' });
  if (noneMatchHits(asked['if-none-match'], tag)) return reply.code(304).send();
  const ranged = request.method === 'GET' && ifRangeHolds(header(asked['if-range']), tag);
  const range = ranged ? parseByteRange(asked.range, bytes.length) : 'whole';
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${bytes.length}`);
    return sendError(reply, 416, 'no byte of the object is in that range');
  }
  reply.type(meta.contentType);
  if (range === 'whole') return reply.send(bytes);
  reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${bytes.length}`);
  return reply.send(bytes.subarray(range.first, range.last + 1));
}

/** Healthy is: the checkpoint can be read, so there is something to serve. */
async function sendHealth(store: ReadableStore, method: string, reply: FastifyReply): Promise<FastifyReply> {
  if (method !== 'GET' && method !== 'HEAD') return sendMethodNotAllowed(reply);
  let reason: string | undefined;
  try {
    if ((await store.get('checkpoint')) === undefined) reason = 'there is no checkpoint';
  } catch (error) {
    if (!isSteleError(error)) throw error;
    reason = `the store cannot be read (${error.code})`;
  }
  if (reason !== undefined) return sendError(reply, 503, reason);
  return reply.headers({ 'cache-control': 'no-store' }).type('text/plain; charset=utf-8').send('ok\n');
}

/** What a browser asks before a conditional read from another origin. */
function sendPreflight(reply: FastifyReply): FastifyReply {
  const headers = {
    allow: METHODS,
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': 'If-Match, If-None-Match, If-Range, Range',
    'access-control-max-age': '86400',
    'cache-control': 'no-store',
  };
  return reply.code(204).headers(headers).send();
}

/** Answers what is no HTTP request at all, too slow, or has too long headers; then the connection is of no use. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const status = UNREADABLE.get(error.code) ?? '400 Bad Request';
    socket.write(`HTTP/1.1 ${status}\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }
  socket.destroySoon();
}

function sendMethodNotAllowed(reply: FastifyReply): FastifyReply {
  // A body that nobody reads must not be taken for the next request.
  return sendError(reply.headers({ allow: METHODS, connection: 'close' }), 405, 'this is read only');
}

function sendError(reply: FastifyReply, status: number, text: string): FastifyReply {
  reply.removeHeader('etag');
  return reply
    .code(status)
    .headers({ 'cache-control': 'no-store' })
    .type('text/plain; charset=utf-8')
    .send(`${text}\n`);
}

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(', ');
}
