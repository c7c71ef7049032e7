/** `POST /api/v2/log/entries`: who may submit, how much and how often; then entries.ts. */

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LogReader } from '../client/index.ts';
import { BodyBudget } from './body-budget.ts';
import { clientOf } from './clients.ts';
import { type EntriesOptions, submitEntry } from './entries.ts';
import { busy, type Failure, failure, RPC } from './failures.ts';
import { Prover } from './prover.ts';
import { refuse, refuseUnread, sendJson } from './replies.ts';
import { isAuthorized, type Tokens } from './tokens.ts';

/** Taking entries, and what bounds it. */
export interface EntriesService extends Omit<EntriesOptions, 'prover' | 'onSubmission'> {
  /** Reads the public store, for proofs. */
  readonly reader: LogReader;
  /** Milliseconds of signature checks that wait, for metrics. */
  readonly checksMs: () => number;
  /** Who may write; undefined: everyone who can connect. */
  readonly tokens: Tokens | undefined;
  /** Most submissions a minute of one client (an IPv4 address, an IPv6 /64); 0: any number. */
  readonly perMinute: number;
  /** Most bytes of one request. */
  readonly maxBodyBytes: number;
  /** Not ready when something has waited longer than this, in ms. */
  readonly staleMs: number;
}

export interface EntriesEvents {
  readonly onSubmission: EntriesOptions['onSubmission'];
  readonly onError: (error: unknown, request: FastifyRequest) => void;
}

/** Bodies of requests under way, all together: what a client sends slowly is kept for as long. */
const BODIES_IN_MEMORY = 64 * 2 ** 20;
/** Clients whose rate is known; who has not come for longest is forgotten. */
const KNOWN_CLIENTS = 10_000;
const MINUTE_MS = 60_000;

export async function addEntriesRoute(
  app: FastifyInstance,
  service: EntriesService,
  { onSubmission, onError }: EntriesEvents,
): Promise<void> {
  const { tokens, perMinute, maxBodyBytes } = service;
  const submission = { ...service, prover: new Prover(service.reader, service.writing.published), onSubmission };
  const budget = new BodyBudget(BODIES_IN_MEMORY, maxBodyBytes);

  /** Before the body is read. */
  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (tokens !== undefined && !isAuthorized(request.headers.authorization, tokens)) {
      const message = 'writing to this log needs a token: Authorization: Bearer …';
      const headers = { 'www-authenticate': 'Bearer' };
      return refuseUnread(request, reply, failure(401, RPC.unauthenticated, message, headers));
    }
    const bytes = budget.take(request.headers['content-length']);
    if (bytes === undefined) return refuseUnread(request, reply, busy('too much is being received now', 1_000));
    // Also of a client that leaves before it has sent all, or before it was answered.
    reply.raw.once('close', () => budget.give(bytes));
    return undefined;
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const answered = await submitEntry(Buffer.isBuffer(request.body) ? request.body : new Uint8Array(), submission);
    if ('entry' in answered) return sendJson(reply, 201, answered.entry);
    if (answered.cause !== undefined) onError(answered.cause, request);
    return refuse(request, reply, answered);
  }

  await app.register(rateLimit, { global: false, cache: KNOWN_CLIENTS });
  // Whatever it calls itself: upstream does not look at the Content-Type either.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  const limit = {
    max: perMinute,
    timeWindow: MINUTE_MS,
    keyGenerator: (request: FastifyRequest) => clientOf(request.ip),
  };
  app.route({
    method: 'POST',
    url: '/api/v2/log/entries',
    bodyLimit: maxBodyBytes,
    config: { rateLimit: perMinute > 0 ? limit : false },
    onRequest: admit,
    handler: answer,
  });
}

/** What the framework found wrong with a request before the route saw it, if that is the client's doing. */
export function clientFailure(
  error: { readonly statusCode?: number; readonly code?: string; readonly message: string },
  service: EntriesService | undefined,
): Failure | undefined {
  const { statusCode = 500 } = error;
  if (statusCode < 400 || statusCode >= 500) return undefined;
  if (statusCode === 413) {
    const message = `the request is larger than the ${service?.maxBodyBytes} bytes that this log takes`;
    return failure(413, RPC.invalidArgument, message);
  }
  if (statusCode === 429) {
    const message = `more than ${service?.perMinute} submissions a minute from one client`;
    return failure(429, RPC.resourceExhausted, message);
  }
  return failure(statusCode, RPC.invalidArgument, error.message);
}
