import { randomUUID } from 'node:crypto';
import { type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { isSteleError, SteleError } from '../errors.ts';
import type { ReadableStore } from '../store/index.ts';
import { closer } from './closing.ts';
import { addEntriesRoute, clientFailure, type EntriesService } from './entries-route.ts';
import { busy, failure, RPC } from './failures.ts';
import { formatListenAddress, isLoopback, type ListenAddress, listenOn } from './listen-address.ts';
import { Metrics } from './metrics.ts';
import { answerObject } from './objects.ts';
import { openApiDocument } from './openapi.ts';
import { refuseUnread, refuseUnreadable, sendJson } from './replies.ts';
import { API_PATHS, type ApiPath, type Route, routeOf } from './routes.ts';
import { addStatusRoutes } from './status.ts';
import { TIMEOUTS } from './timeouts.ts';

export interface ServeLogOptions {
  /** The public store. */
  readonly store: ReadableStore;
  readonly listen: ListenAddress;
  /** Whether anyone who can connect may read and, where there are no tokens, write. */
  readonly public: boolean;
  /** What takes entries; absent: the log is served read only. */
  readonly entries?: EntriesService;
  /** Told of every request that failed on our side; the client is told no details. */
  readonly onError: (error: unknown, target: string, requestId: string) => void;
  /** Told of every request, once it was answered. */
  readonly onAnswered?: (request: AnsweredRequest) => void;
  /** Proxies whose `X-Forwarded-For` is believed, by address or network. Default: none. */
  readonly trustedProxies?: readonly string[];
}

export interface AnsweredRequest {
  readonly id: string;
  readonly client: string;
  readonly method: string;
  readonly route: Route['name'];
  readonly target: string;
  readonly status: number;
  readonly ms: number;
}

export interface LogServer {
  /** `http://127.0.0.1:8080/`, with the port that was really taken. */
  readonly url: string;
  readonly metrics: Metrics;
  /** Stops listening, lets requests under way finish, closes the rest. */
  close(): Promise<void>;
}

/** As nginx logs it: the client left before it was answered in full. */
const CLIENT_LEFT = 499;

/**
 * Serves a log: its public objects as static files (c2sp.org/tlog-tiles), and what tells how the server is; with `entries`,
 * `POST /api/v2/log/entries` of Rekor v2. Throws `config` for an address that may not or cannot be listened on.
 */
export async function serveLog(options: ServeLogOptions): Promise<LogServer> {
  const { store, listen, entries, onError, onAnswered } = options;
  const where = formatListenAddress(listen);
  if (!options.public && !isLoopback(listen.host) && entries?.tokens === undefined) {
    throw new SteleError(
      'config',
      `${where} can be reached from other machines: give tokens to those who may write, choose that with --public, or listen on 127.0.0.1`,
    );
  }
  const writing = entries?.writing;
  const metrics = new Metrics({
    ...(writing && { waiting: () => writing.waiting() }),
    ...(writing?.published && { published: writing.published }),
    ...(entries && { checksMs: entries.checksMs }),
  });
  const app = fastify({
    ...TIMEOUTS,
    logger: false,
    exposeHeadRoutes: true,
    // What comes while we close is answered like all else: on a connection that is open, before it is let go.
    return503OnClosing: false,
    trustProxy: options.trustedProxies?.length ? [...options.trustedProxies] : false,
    genReqId: () => randomUUID(),
    clientErrorHandler: refuseUnreadable,
    // A target that no URL parser takes is a path that is not there, like any other.
    frameworkErrors: (_error, request, reply) => dispatch(request, reply),
  });
  const close = closer(app);

  /** Before routing, and before a body is read: the raw target decides. What is left goes on to the routes below. */
  async function dispatch(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const route = routeOf(request.raw.url ?? '');
    const began = performance.now();
    reply.raw.once('close', () => record(route, request, reply, performance.now() - began));
    reply.headers({ 'access-control-allow-origin': '*', 'x-content-type-options': 'nosniff' });
    try {
      // Whoever submits may want to ask about it; files are the same for everybody.
      if (route.name === '/api/v2/log/entries') reply.header('x-request-id', request.id);
      if (route.kind === 'object') return await answerObject(store, route.key, request, reply);
      if (route.kind === 'api') return refuseMethod(route.name, request, reply);
      return refuseUnread(request, reply, failure(404, RPC.notFound, 'not found'));
    } catch (error) {
      return answerError(error, request, reply);
    }
  }

  function refuseMethod(path: ApiPath, request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined {
    const readOnly = path === '/api/v2/log/entries' && entries === undefined;
    const methods: readonly string[] = readOnly ? [] : API_PATHS[path];
    if (methods.includes(request.method)) return undefined;
    const allow = methods.join(', ');
    const message = readOnly ? 'this server is read only: entries are submitted elsewhere' : `${path} takes ${allow}`;
    return refuseUnread(request, reply, failure(405, RPC.unimplemented, message, { allow }));
  }

  function record(route: Route, request: FastifyRequest, reply: FastifyReply, ms: number): void {
    const { method, id, ip: client } = request;
    const status = reply.raw.writableFinished ? reply.statusCode : CLIENT_LEFT;
    metrics.onAnswered(route.name, method, status, ms / 1_000);
    onAnswered?.({ id, client, method, route: route.name, target: request.raw.url ?? '', status, ms });
  }

  function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    onError(error, request.raw.url ?? '', request.id);
    if (isSteleError(error, 'unreachable')) {
      return refuseUnread(request, reply, busy('the store cannot be reached', 1_000));
    }
    // A link or a folder where an object should be: the operator was told, and readers have no object there (SERVE-2).
    if (isSteleError(error, 'corrupt')) return refuseUnread(request, reply, failure(404, RPC.notFound, 'not found'));
    return refuseUnread(request, reply, failure(500, RPC.internal, 'internal error'));
  }

  app.addHook('onRequest', dispatch);
  app.setErrorHandler((error: Error, request, reply) => {
    const failed = clientFailure(error, entries);
    return failed === undefined ? answerError(error, request, reply) : refuseUnread(request, reply, failed);
  });

  addStatusRoutes(app, metrics, { store, writing, staleMs: entries?.staleMs ?? Number.POSITIVE_INFINITY });
  app.get('/openapi.json', async (_request, reply) => sendJson(reply, 200, openApiDocument(entries !== undefined)));
  if (entries !== undefined) {
    await addEntriesRoute(app, entries, {
      onSubmission: metrics.onSubmission,
      onError: (error, request) => onError(error, request.raw.url ?? '', request.id),
    });
  }

  return { url: await listenOn(app, listen, close), metrics, close };
}
