/** `POST /api/v2/log/entries`: who may submit, how much and how often; then entries.ts. */

import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LogReader } from '../client/index.ts';
import { BusyError, isSteleError } from '../errors.ts';
import { clientOf } from './clients.ts';
import { type EntriesOptions, submitEntry } from './entries.ts';
import { busy, type Failure, failure, RPC } from './failures.ts';
import { Prover } from './prover.ts';
import { refuse, refuseUnread, sendJson } from './replies.ts';
import { BodyMemory } from './request-body.ts';
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
  const memory = new BodyMemory(BODIES_IN_MEMORY);

  /** Before the body is read. */
  async function admit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> {
    if (tokens !== undefined && !isAuthorized(request.headers.authorization, tokens)) {
      const message = 'writing to this log needs a token: Authorization: Bearer …';
      const headers = { 'www-authenticate': 'Bearer' };
      return refuseUnread(request, reply, failure(401, RPC.unauthenticated, message, headers));
    }
    if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
      return refuseUnread(request, reply, tooLarge(maxBodyBytes));
    }
    // Upstream does not look at it; here the framework would, and refuse what it cannot parse.
    delete request.raw.headers['content-type'];
    return undefined;
  }

  async function answer(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const body = request.body instanceof Uint8Array ? request.body : new Uint8Array();
    try {
      const answered = await submitEntry(body, submission);
      if ('entry' in answered) return sendJson(reply, 201, answered.entry);
      if (answered.cause !== undefined) onError(answered.cause, request);
      return refuse(request, reply, answered);
    } finally {
      memory.give(body); // and no sooner: it is held for as long, also where the client has left
    }
  }

  await app.register(rateLimit, { global: false, cache: KNOWN_CLIENTS });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request: FastifyRequest, payload: AsyncIterable<Uint8Array>) =>
    memory.read(payload, maxBodyBytes),
  );
  const limit = {
    max: perMinute,
    timeWindow: MINUTE_MS,
    keyGenerator: (request: FastifyRequest) => clientOf(request.ip),
  };
  app.route({
    method: 'POST',
    url: '/api/v2/log/entries',
    config: { rateLimit: perMinute > 0 ? limit : false },
    onRequest: admit,
    handler: answer,
  });
}

/** What was found wrong with a request before it was submitted, if that is the client's doing or passes. */
export function clientFailure(
  error: Error & { readonly statusCode?: number; readonly code?: string },
  service: EntriesService | undefined,
): Failure | undefined {
  if (error instanceof BusyError) return busy(error.message, error.retryAfterMs);
  if (isSteleError(error, 'limit')) return tooLarge(service?.maxBodyBytes ?? 0);
  const { statusCode = error.code === 'ECONNRESET' ? 400 : 500 } = error; // reset: nobody is there to read it
  if (statusCode < 400 || statusCode >= 500) return undefined;
  if (statusCode === 429) {
    const message = `more than ${service?.perMinute} submissions a minute from one client`;
    return failure(429, RPC.resourceExhausted, message);
  }
  return failure(statusCode, RPC.invalidArgument, error.message);
}

function tooLarge(most: number): Failure {
  return failure(413, RPC.invalidArgument, `the request is larger than the ${most} bytes that this log takes`);
}
