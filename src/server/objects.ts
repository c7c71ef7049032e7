/** A log's public objects as static files: GET and HEAD, one byte range, strong entity tags (RFC 9110). */

import type { FastifyReply, FastifyRequest } from 'fastify';
import { metaFor, type ReadableStore } from '../store/index.ts';
import { parseByteRange } from './byte-range.ts';
import { entityTag, ifRangeHolds, matchMisses, noneMatchHits } from './entity-tag.ts';
import { closeUnread, sendText } from './replies.ts';

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
    // A body that nobody reads must not be taken for the next request.
    return sendText(closeUnread(reply).header('allow', METHODS), 405, 'this is read only');
  }
  const object = await store.get(key);
  if (object === undefined) return sendText(reply, 404, 'not found');
  const { bytes } = object;
  const meta = metaFor(key);
  const tag = entityTag(bytes);
  const asked = request.headers;
  if (matchMisses(asked['if-match'], tag)) return sendText(reply, 412, 'the object is another version');
  reply.headers({ etag: tag, 'cache-control': meta.cacheControl, 'accept-ranges': 'bytes' });
  if (noneMatchHits(asked['if-none-match'], tag)) return reply.code(304).send();
  const ranged = request.method === 'GET' && ifRangeHolds(header(asked['if-range']), tag);
  const range = ranged ? parseByteRange(asked.range, bytes.length) : 'whole';
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${bytes.length}`);
    return sendText(reply, 416, 'no byte of the object is in that range');
  }
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
