/** How a process is, for those who look after it: beside what a server answers, or alone, where a process only writes. */

import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import type { ReadableStore } from '../store/index.ts';
import { closer } from './closing.ts';
import { busy, failure, RPC } from './failures.ts';
import { type ListenAddress, listenOn } from './listen-address.ts';
import { Metrics } from './metrics.ts';
import { type ReadinessOptions, unreadiness } from './readiness.ts';
import { refuse, refuseUnread, refuseUnreadable, sendJson } from './replies.ts';
import { API_PATHS, routeOf } from './routes.ts';
import { TIMEOUTS } from './timeouts.ts';
import type { Writing } from './writing.ts';

/** `/healthz`, `/readyz` and `/metrics`. */
export function addStatusRoutes(app: FastifyInstance, metrics: Metrics, readiness: ReadinessOptions): void {
  app.get('/healthz', async (_request, reply) => sendJson(reply, 200, { status: 'SERVING' }));
  app.get('/readyz', async (request, reply) => {
    const reason = await unreadiness(readiness);
    return reason === undefined
      ? sendJson(reply, 200, { status: 'READY' })
      : refuse(request, reply, busy(reason, 1_000));
  });
  app.get('/metrics', async (_request, reply) =>
    reply
      .headers({ 'cache-control': 'no-store' })
      .type(metrics.contentType)
      .send(await metrics.text()),
  );
}

export interface ServeStatusOptions {
  readonly listen: ListenAddress;
  /** The public store. */
  readonly store: ReadableStore;
  readonly writing: Pick<Writing, 'waiting' | 'published' | 'trouble'>;
  readonly staleMs: number;
  /** Told of what the client is told no details of. */
  readonly onError: (error: unknown) => void;
}

export interface StatusServer extends AsyncDisposable {
  /** `http://127.0.0.1:9464/`, with the port that was really taken. */
  readonly url: string;
  readonly metrics: Metrics;
}

/** Serves these and nothing else, to all who can connect. Throws `config` for an address that cannot be listened on. */
export async function serveStatus({ listen, onError, ...readiness }: ServeStatusOptions): Promise<StatusServer> {
  const { waiting, published } = readiness.writing;
  const metrics = new Metrics({ waiting, ...(published && { published }) });
  const app = fastify({
    ...TIMEOUTS,
    logger: false,
    exposeHeadRoutes: true,
    clientErrorHandler: refuseUnreadable,
    frameworkErrors: (_error, request, reply) => dispatch(request, reply),
  });
  const close = closer(app);

  async function dispatch(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    const { name } = routeOf(request.raw.url ?? '');
    if (name !== '/healthz' && name !== '/readyz' && name !== '/metrics') {
      return refuseUnread(request, reply, failure(404, RPC.notFound, 'not found'));
    }
    const methods: readonly string[] = API_PATHS[name];
    if (methods.includes(request.method)) return undefined;
    const allow = methods.join(', ');
    return refuseUnread(request, reply, failure(405, RPC.unimplemented, `${name} takes ${allow}`, { allow }));
  }

  app.addHook('onRequest', dispatch);
  app.setErrorHandler((error, request, reply) => {
    onError(error);
    return refuseUnread(request, reply, failure(500, RPC.internal, 'internal error'));
  });
  addStatusRoutes(app, metrics, readiness);
  const url = await listenOn(app, listen, close);
  return { url, metrics, [Symbol.asyncDispose]: close };
}
