/** A log's public objects as static files: GET and HEAD, one byte range, strong entity tags (RFC 9110). */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { metaFor, type ReadableStore } from '../store/index.ts';
import { parseByteRange } from './byte-range.ts';
import { entityTag, ifRangeHolds, matchMisses, noneMatchHits } from './entity-tag.ts';
import { failure, RPC } from './failures.ts';
import { refuse, refuseUnread } from './replies.ts';

const METHODS = 'GET, HEAD, OPTIONS';

/**
 * Answers a request for the object with `key`, with the headers that `metaFor` tells for it. What fails is
 * `Cache-Control: no-store`, so that no cache can hide an object that comes later.
 */
export async function answerObject(
  store: ReadableStore,
  key: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (request.method === 'OPTIONS') return sendPreflight(reply);
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return refuseUnread(request, reply, failure(405, RPC.unimplemented, 'this is read only', { allow: METHODS }));
  }
  const object = await store.get(key);
  if (object === undefined) return refuse(request, reply, failure(404, RPC.notFound, 'not found'));
  const { bytes } = object;
  const meta = metaFor(key);
  const tag = entityTag(bytes);
  const asked = request.headers;
  if (matchMisses(asked['if-match'], tag)) {
    return refuse(request, reply, failure(412, RPC.failedPrecondition, 'the object is another version'));
  }
  const unchanged = noneMatchHits(asked['if-none-match'], tag);
  const ranged = !unchanged && request.method === 'GET' && ifRangeHolds(header(asked['if-range']), tag);
  const range = ranged ? parseByteRange(asked.range, bytes.length) : 'whole';
  if (range === 'unsatisfiable') {
    const headers = { 'content-range': `bytes */${bytes.length}` };
    return refuse(request, reply, failure(416, RPC.outOfRange, 'no byte of the object is in that range', headers));
  }
  reply.headers({ etag: tag, 'cache-control': meta.cacheControl, 'accept-ranges': 'bytes' });
  if (unchanged) return reply.code(304).send();
  reply.type(meta.contentType);
  if (range === 'whole') return reply.send(bytes);
  reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${bytes.length}`);
  return reply.send(bytes.subarray(range.first, range.last + 1));
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

function header(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.join(', ');
}
