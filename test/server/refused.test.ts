/** Who is refused before the body was read comes to know why, and cannot go on sending for ever. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { parseTokens } from '../../src/server/index.ts';
import { ENTRIES, startServer, type TestServer } from './post.ts';

/** More than the socket buffers of both sides hold: it can only be sent if somebody reads. */
const CHUNKS = 16;
const CHUNK = Buffer.alloc(2 ** 20, ' ');
/** As long as a connection lingers, and what a busy machine adds. */
const CUT_OFF_MS = 10_000;

async function open(t: TestContext, { url }: TestServer, head: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), allowHalfOpen: true });
  socket.on('error', () => {}); // whoever writes or reads is told, too
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(`${head}\r\nHost: log\r\n`);
  return socket;
}

function send(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => socket.write(bytes, (error) => (error ? reject(error) : resolve())));
}

/** As clients do that read no answer before all is sent. */
async function sendAll(socket: Socket, chunked: boolean): Promise<string> {
  await send(
    socket,
    chunked ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${CHUNKS * CHUNK.length}\r\n\r\n`,
  );
  for (let i = 0; i < CHUNKS; i++) {
    if (chunked) await send(socket, `${CHUNK.length.toString(16)}\r\n`);
    await send(socket, CHUNK);
    if (chunked) await send(socket, '\r\n');
  }
  if (chunked) await send(socket, '0\r\n\r\n');
  const received: Buffer[] = [];
  for await (const bytes of socket) received.push(bytes);
  return Buffer.concat(received).toString();
}

const REFUSED: readonly (readonly [what: string, head: string, chunked: boolean, status: number])[] = [
  ['is too large', `POST /${ENTRIES} HTTP/1.1`, false, 413],
  ['turns out to be too large', `POST /${ENTRIES} HTTP/1.1`, true, 413],
  ['has another method', `PUT /${ENTRIES} HTTP/1.1`, false, 405],
  ['is for a file', 'POST /checkpoint HTTP/1.1', false, 405],
  ['is for nothing', 'POST /api/v1/log/entries HTTP/1.1', false, 404],
];

for (const [what, head, chunked, status] of REFUSED) {
  test(`a request that ${what} can be sent to its end, and then its answer ${status} be read`, async (t) => {
    const server = await startServer(t);
    const answer = await sendAll(await open(t, server, head), chunked);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} .*connection: close`, 'is'));
    assert.deepEqual(
      server.answered.map((one) => one.status),
      [status],
    );
  });
}

test('a request without a token can be sent to its end, and then its answer 401 be read', async (t) => {
  const server = await startServer(t, { entries: { tokens: parseTokens('a-token-0123456789', 'tokens') } });
  const answer = await sendAll(await open(t, server, `POST /${ENTRIES} HTTP/1.1`), false);
  assert.match(answer, /^HTTP\/1\.1 401 /);
});

test('who was refused and goes on sending is cut off', async (t) => {
  const server = await startServer(t);
  const socket = await open(t, server, `POST /${ENTRIES} HTTP/1.1`);
  await send(socket, `Content-Length: ${2 ** 40}\r\n\r\n`);
  const until = performance.now() + CUT_OFF_MS;
  await assert.rejects(async () => {
    while (performance.now() < until) await send(socket, CHUNK);
  }, /EPIPE|ECONNRESET/);
});

test('a server closes without waiting for those that it refused', async (t) => {
  const server = await startServer(t);
  const socket = await open(t, server, `PUT /${ENTRIES} HTTP/1.1`);
  await send(socket, `Content-Length: ${2 ** 40}\r\n\r\n`);
  await once(socket, 'data');
  const began = performance.now();
  await server.server.close();
  assert.ok(performance.now() - began < 2_000);
});
