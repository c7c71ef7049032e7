import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { isSteleError } from '../../src/errors.ts';
import {
  type HttpOptions,
  openHttp,
  openReadableStore,
  type ReadableStore,
  UnreachableError,
} from '../../src/store/index.ts';

const servers: { close(): void }[] = [];
after(() => {
  for (const server of servers) {
    server.close();
  }
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}/`;
}

interface Site {
  readonly url: string;
  readonly store: ReadableStore;
  readonly requests: IncomingMessage[];
  /** Connections that were ever made. */
  readonly sockets: Set<Socket>;
}

async function site(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  options?: HttpOptions,
): Promise<Site> {
  const requests: IncomingMessage[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  server.on('connection', (socket) => sockets.add(socket));
  const url = await listen(server);
  servers.push({
    close() {
      server.closeAllConnections();
      server.close();
    },
  });
  return { url, store: openHttp(url, options), requests, sockets };
}

/** Answers every connection with these bytes, and closes it. */
async function rawSite(...answers: (string | Uint8Array)[]): Promise<ReadableStore> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      for (const part of answers) {
        socket.write(part);
      }
      socket.end();
    });
  });
  servers.push(server);
  return openHttp(await listen(server));
}

const TILE = Uint8Array.from({ length: 8192 }, (_, i) => (i * 7 + i / 256) % 256);

async function bytesOf(store: ReadableStore, key = 'tile/0/000'): Promise<Uint8Array | undefined> {
  const object = await store.get(key);
  return object && new Uint8Array(object.bytes);
}

function isUnreachable(...parts: string[]): (error: unknown) => boolean {
  return (error) =>
    error instanceof UnreachableError &&
    error.code === 'unreachable' &&
    parts.every((part) => error.message.includes(part));
}

test('an object is what the server sent, and 404 and 410 mean that there is none', async () => {
  const { store, url } = await site((request, response) => {
    response.writeHead(request.url === '/gone' ? 410 : request.url === '/tile/0/000' ? 200 : 404);
    response.end(request.url === '/tile/0/000' ? TILE : 'not here');
  });
  const object = await store.get('tile/0/000');
  assert.deepEqual(object?.bytes, TILE);
  assert.equal(object?.etag, (await openReadableStore(url).get('tile/0/000'))?.etag);
  assert.equal(await store.get('tile/0/001'), undefined);
  assert.equal(await store.get('gone'), undefined);
  assert.equal(store.url, url);
});

test('the version of an object is its content, whatever ETag the server makes up', async () => {
  let text = 'size 1';
  const { store } = await site((_, response) =>
    response.writeHead(200, { etag: '"same second, same size"' }).end(text),
  );
  const before = await store.get('checkpoint');
  text = 'size 2';
  assert.notEqual((await store.get('checkpoint'))?.etag, before?.etag);
});

test('keys are encoded part by part, below the path of the URL, and never leave it', async () => {
  const { url, requests } = await site((_, response) => response.end('x'));
  const store = openHttp(`${url}logs/2026`);
  assert.equal(store.url, `${url}logs/2026/`);
  await store.get('tile/0/x001/067.p/3');
  await store.get('a b/%2e?#+日');
  assert.deepEqual(
    requests.map((request) => request.url),
    ['/logs/2026/tile/0/x001/067.p/3', '/logs/2026/a%20b/%252e%3F%23%2B%E6%97%A5'],
  );
  for (const key of ['../secret', '/secret', 'a/../../secret', 'a\\..\\b']) {
    await assert.rejects(store.get(key), (error) => isSteleError(error, 'malformed'));
  }
  assert.equal(requests.length, 2);
});

test('encoded bodies are decoded once, and what was not asked for is refused (READ-3)', async () => {
  const { store, requests } = await site((request, response) => {
    const answers: Record<string, [string | undefined, Uint8Array]> = {
      '/gzip': ['gzip', gzipSync(TILE)],
      '/x-gzip': ['x-gzip', gzipSync(TILE)],
      '/identity': ['identity', TILE],
      '/br': ['br', brotliCompressSync(TILE)],
      '/gzip-without-header': [undefined, gzipSync(TILE)],
      '/header-without-gzip': ['gzip', TILE],
      '/gzip-twice': ['gzip, gzip', gzipSync(gzipSync(TILE))],
      '/unknown': ['rot13', TILE],
    };
    const [coding, body] = answers[request.url ?? ''] ?? [undefined, new Uint8Array()];
    response.writeHead(200, { 'content-length': body.length, ...(coding && { 'content-encoding': coding }) });
    response.end(body);
  });
  for (const key of ['gzip', 'x-gzip', 'identity', 'br']) {
    assert.deepEqual(await bytesOf(store, key), TILE, key);
  }
  // Nothing says that these bytes are not the object: whoever verifies them finds out.
  assert.deepEqual(await bytesOf(store, 'gzip-without-header'), new Uint8Array(gzipSync(TILE)));
  await assert.rejects(store.get('header-without-gzip'), isUnreachable('header-without-gzip'));
  await assert.rejects(store.get('gzip-twice'), isUnreachable('gzip, gzip'));
  await assert.rejects(store.get('unknown'), isUnreachable('rot13'));
  assert.equal(requests[0]?.headers['accept-encoding'], 'gzip, identity');
});

test('a body cut short at any byte is an error, not an object (READ-2, STORE-11)', async () => {
  const body = TILE.subarray(0, 300);
  for (let length = 0; length < body.length; length += 13) {
    const declared = await rawSite(
      `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`,
      body.subarray(0, length),
    );
    await assert.rejects(declared.get('tile/0/000'), isUnreachable('tile/0/000'), `${length} of ${body.length}`);
    const chunk = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n`;
    const chunked = await rawSite(chunk, body.subarray(0, length));
    await assert.rejects(chunked.get('tile/0/000'), isUnreachable('tile/0/000'), `${length} of a chunk`);
  }
  const unfinished = await rawSite('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
  await assert.rejects(unfinished.get('tile/0/000'), isUnreachable());
  const headers = await rawSite('HTTP/1.1 200 OK\r\nContent-Le');
  await assert.rejects(headers.get('tile/0/000'), isUnreachable());
});

test('bytes behind the declared length are no part of the object (READ-2)', async () => {
  const longer = await rawSite('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n', 'abcdef');
  const found = await longer.get('tile/0/000').catch((error) => error);
  assert.ok(isUnreachable()(found) || new TextDecoder().decode(found?.bytes) === 'abc');
});

test('what is not HTTP is unreachable, and so is a port where nobody listens', async () => {
  for (const answer of ['', 'SSH-2.0-OpenSSH\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc']) {
    await assert.rejects((await rawSite(answer)).get('tile/0/000'), isUnreachable('tile/0/000'));
  }
  await assert.rejects(
    openHttp('http://127.0.0.1:1/').get('checkpoint'),
    isUnreachable('http://127.0.0.1:1/checkpoint'),
  );
});

test('a body that does not end, a bomb, and a long one are given up at the limit (READ-4)', async () => {
  let endlessClosed = 0;
  const { store } = await site((request, response) => {
    switch (request.url) {
      case '/endless': {
        const more = () => {
          while (response.write(TILE));
        };
        response.writeHead(200);
        response.on('drain', more);
        response.on('close', () => endlessClosed++);
        more();
        return;
      }
      case '/bomb':
        response.writeHead(200, { 'content-encoding': 'gzip' });
        response.end(gzipSync(new Uint8Array(50_000_000)));
        return;
      default:
        response.writeHead(200, { 'content-length': TILE.length }).end(TILE);
    }
  });
  const isLimit = (error: unknown) => isSteleError(error, 'limit');
  await assert.rejects(store.get('endless', { maxBytes: 1_000_000 }), isLimit);
  await assert.rejects(store.get('bomb', { maxBytes: 1_000_000 }), isLimit);
  await assert.rejects(store.get('bomb'), isLimit);
  await assert.rejects(store.get('declared', { maxBytes: TILE.length - 1 }), isLimit);
  assert.equal((await store.get('declared', { maxBytes: TILE.length }))?.bytes.length, TILE.length);
  while (endlessClosed === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

test('429 and 5xx are unreachable, with the wait that the server asked for (READ-6, STORE-9)', async () => {
  let status = 503;
  let retryAfter: string | undefined;
  const { store, sockets } = await site((_, response) => {
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
    response.end('<html>busy</html>'.repeat(100));
  });
  const errorOf = async () => {
    const error = await store.get('checkpoint').catch((reason) => reason);
    assert.ok(error instanceof UnreachableError, String(error));
    return error;
  };
  for (status of [400, 401, 403, 405, 418, 429, 500, 502, 503, 504]) {
    const { message, retryAfterMs } = await errorOf();
    assert.ok(message.includes(`${status}`) && message.includes('/checkpoint'));
    assert.equal(retryAfterMs, undefined);
  }
  status = 429;
  for (const [header, ms] of [
    ['0', 0],
    ['7', 7_000],
    [' 7 ', 7_000],
    ['99999999', 3_600_000],
    ['-1', undefined],
    ['1.5', undefined],
    ['soon', undefined],
    ['', undefined],
    ['2026', 2_026_000],
    ['Sun, 06 Nov 1994 08:49:37 GMT', 0],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 3_600_000],
    ['Sun, 99 Foo 1994', undefined],
  ] as const) {
    retryAfter = header;
    assert.equal((await errorOf()).retryAfterMs, ms, JSON.stringify(header));
  }
  retryAfter = new Date(Date.now() + 60_000).toUTCString();
  const { retryAfterMs = 0 } = await errorOf();
  assert.ok(retryAfterMs > 50_000 && retryAfterMs <= 60_000);
  // All bodies were drained, so connections served again; fetch opens a second when it asks before the first is free.
  assert.ok(sockets.size <= 3, `${sockets.size} connections`);
});

test('an answer that is neither an object nor an absence is not taken for one', async () => {
  let status = 206;
  const { store } = await site((_, response) => response.writeHead(status).end());
  for (status of [201, 204, 206, 300, 304]) {
    await assert.rejects(store.get('checkpoint'), isUnreachable(`${status}`));
  }
});

test('redirects are followed, but not for ever, nor to anything but http and https (READ-6)', async () => {
  const elsewhere = await site((_, response) => response.end('from elsewhere'));
  const { store, requests, url } = await site((request, response) => {
    const steps = Number(/^\/steps\/(\d+)$/.exec(request.url ?? '')?.[1]);
    const targets: Record<string, string> = {
      '/absolute': `${elsewhere.url}x`,
      '/file': 'file:///etc/passwd',
      '/data': 'data:text/plain,x',
      '/javascript': 'javascript:alert(1)',
      '/nothing': 'http://',
      '/loop': '/loop',
      ...(steps > 0 && { [`/steps/${steps}`]: `/steps/${steps - 1}` }),
    };
    const target = targets[request.url ?? ''];
    response.writeHead(target === undefined ? 200 : 302, target === undefined ? {} : { location: target });
    response.end('arrived');
  });
  assert.deepEqual(await bytesOf(store, 'absolute'), new TextEncoder().encode('from elsewhere'));
  assert.deepEqual(await bytesOf(store, 'steps/5'), new TextEncoder().encode('arrived'));
  await assert.rejects(store.get('steps/6'), isUnreachable('redirects', `${url}steps/6`));
  requests.length = 0;
  await assert.rejects(store.get('loop'), isUnreachable('redirects'));
  assert.equal(requests.length, 6);
  for (const key of ['file', 'data', 'javascript', 'nothing']) {
    await assert.rejects(store.get(key), isUnreachable('not followed'), key);
  }
});

test('a server that hangs is given up after the time for one request, and its connection with it (STORE-7)', async () => {
  const { store, requests } = await site(
    (request, response) => {
      if (request.url === '/body') {
        response.writeHead(200, { 'content-length': 100 });
        response.write('x');
      }
    },
    { requestTimeoutMs: 150 },
  );
  await assert.rejects(store.get('headers'), isUnreachable('150 ms'));
  await assert.rejects(store.get('body'), isUnreachable('150 ms'));
  for (const { socket } of requests) {
    while (!socket.destroyed) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
});

test('a caller that gives up is told so at once, and not that the server failed', async () => {
  const { store } = await site(() => undefined);
  const abort = new AbortController();
  const getting = store.get('checkpoint', { signal: abort.signal });
  setTimeout(() => abort.abort(), 20);
  await assert.rejects(getting, (error) => isSteleError(error, 'aborted'));
  await assert.rejects(store.get('checkpoint', { signal: abort.signal }), (error) => isSteleError(error, 'aborted'));
});

test('a URL that cannot be the beginning of the URLs of objects is refused, without its password', () => {
  const isConfig = (error: unknown) => isSteleError(error, 'config') && !error.message.includes('secret');
  for (const url of [
    'https://log.example/?x=1',
    'https://log.example/#x',
    'https://user:secret@log.example/',
    'ftp://x/',
  ]) {
    assert.throws(() => openHttp(url), isConfig, url);
  }
  assert.equal(openHttp('https://log.example').url, 'https://log.example/');
});

test('what reads over HTTP runs where there is no Node', () => {
  const folder = join(import.meta.dirname, '../../src/store');
  const seen = new Set<string>();
  const visit = (file: string) => {
    if (seen.has(file)) {
      return;
    }
    seen.add(file);
    const source = readFileSync(join(folder, file), 'utf8');
    assert.doesNotMatch(source, /from 'node:|\bBuffer\b|\bprocess\./, file);
    for (const [, next] of source.matchAll(/from '\.\/([a-z-]+\.ts)'/g)) {
      visit(next ?? '');
    }
  };
  visit('http.ts');
  assert.ok(seen.size > 4);
});
