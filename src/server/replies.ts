/** How the server says things: JSON below `/api/v2/`, a line of text to readers of files. What fails, no cache keeps. */

import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Failure, failureBody } from './failures.ts';
import { API_PREFIX } from './routes.ts';

/** What Node's HTTP parser calls the failures that have a status of their own. */
const UNREADABLE: ReadonlyMap<string | undefined, string> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
]);

/** How long whoever was refused may go on sending what nobody reads, in ms: 4 MiB at 7 Mbit/s. */
const LINGER_MS = 5_000;

export function sendJson(reply: FastifyReply, status: number, value: unknown): FastifyReply {
  return reply
    .code(status)
    .headers({ 'cache-control': 'no-store' })
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(value));
}

function sendText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply
    .code(status)
    .headers({ 'cache-control': 'no-store' })
    .type('text/plain; charset=utf-8')
    .send(`${text}\n`);
}

/** A failure, in the form that whoever asks at this path expects. */
export function refuse(request: FastifyRequest, reply: FastifyReply, failed: Failure): FastifyReply {
  reply.headers({ ...failed.headers });
  if (request.raw.url?.startsWith(`${API_PREFIX}/`)) return sendJson(reply, failed.status, failureBody(failed));
  return sendText(reply, failed.status, failed.message);
}

/** As `refuse`, before the body was read: it must not be taken for the next request. */
export function refuseUnread(request: FastifyRequest, reply: FastifyReply, failed: Failure): FastifyReply {
  if (request.method !== 'GET' && request.method !== 'HEAD') closeUnread(reply);
  return refuse(request, reply, failed);
}

/**
 * The connection ends with this answer, in stages (RFC 9112 §9.6): closed at once, it would be reset by what the client
 * still sends, and the answer be lost with it. So what comes is dropped until the client, who sees our end, closes too.
 */
function closeUnread(reply: FastifyReply): void {
  const { socket } = reply.raw;
  if (socket !== null) {
    // Which is what Node calls once the answer is written. Its parser, the first listener, gets no more.
    socket.destroySoon = () => {
      socket.end();
      socket.removeAllListeners('data').on('data', drop).resume();
      setTimeout(() => socket.destroy(), LINGER_MS).unref();
    };
  }
  reply.header('connection', 'close');
}

function drop(): void {}

/** Answers what is no HTTP request at all, too slow, or has too long headers; then the connection is of no use. */
export function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && error.code !== 'ECONNRESET') {
    const status = UNREADABLE.get(error.code) ?? '400 Bad Request';
    socket.write(`HTTP/1.1 ${status}\r\nCache-Control: no-store\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  }
  socket.destroySoon();
}
