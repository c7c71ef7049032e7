import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { entityTag, type LogServer, parseByteRange, parseListenAddress, serveLog } from '../../src/server/index.ts';
import { openReadableStore, type ReadableStore } from '../../src/store/index.ts';

const LOG = new URL('../../tiles-spec/vectors/tree-700-varied/', import.meta.url);
const LISTEN = { host: '127.0.0.1', port: 0 };
const IMMUTABLE = 'public, max-age=31536000, immutable';
const OBJECTS: readonly [path: string, type: string, cache: string][] = [
  ['checkpoint', 'text/plain; charset=utf-8', 'no-cache'],
  ['tile/0/000', 'application/octet-stream', IMMUTABLE],
  ['tile/0/002.p/188', 'application/octet-stream', IMMUTABLE],
  ['tile/1/000.p/2', 'application/octet-stream', IMMUTABLE],
  ['tile/entries/001', 'application/octet-stream', IMMUTABLE],
];

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

let server: LogServer;
before(async () => {
  server = await serve(openReadableStore(pathToFileURL(LOG.pathname).href));
});
after(() => server.close());

function serve(store: ReadableStore, onError: (error: unknown) => void = () => {}): Promise<LogServer> {
  return serveLog({ store, listen: LISTEN, public: false, onError });
}

function ask(path: string, headers: Record<string, string> = {}, method = 'GET', at = server): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, at.url), { method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** The status line of whatever answers bytes that no client would send. */
function askRaw(bytes: string): Promise<string> {
  const { port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
    socket.write(bytes, 'latin1');
  });
}

const getRaw = (target: string) => askRaw(`GET ${target} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n`);

test('each class of object is served whole, with its type, its cache lifetime and a strong entity tag (SERVE-1, TILES-2, TILES-3)', async () => {
  for (const [path, type, cache] of OBJECTS) {
    const bytes = await readFile(new URL(path, LOG));
    const { status, headers, body } = await ask(`/${path}`);
    assert.equal(status, 200, path);
    assert.deepEqual(body, bytes, path);
    const { date: _, ...exact } = headers;
    assert.deepEqual(exact, {
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      etag: entityTag(bytes),
      'cache-control': cache,
      'accept-ranges': 'bytes',
      'content-type': type,
      'content-length': String(bytes.length),
      connection: 'close',
    });
  }
});

test('HEAD answers what GET would, without the body (SERVE-1)', async () => {
  for (const path of [...OBJECTS.map(([path]) => `/${path}`), '/tile/0/009', '/healthz']) {
    const [got, head] = await Promise.all([ask(path), ask(path, {}, 'HEAD')]);
    assert.equal(head.status, got.status, path);
    assert.equal(head.body.length, 0, path);
    assert.deepEqual({ ...head.headers, date: '' }, { ...got.headers, date: '' }, path);
  }
});

test('one byte range is served as 206, one outside the object as 416, and anything else as if not asked (SERVE-1)', async () => {
  const bytes = await readFile(new URL('tile/0/000', LOG));
  const { length } = bytes;
  const ranges: [string, number, number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=32-63', 32, 64],
    ['bytes=8000-', 8_000, length],
    ['bytes=-32', length - 32, length],
    ['bytes=-99999', 0, length],
    ['bytes=8191-99999', 8_191, length],
  ];
  for (const [range, start, end] of ranges) {
    const { status, headers, body } = await ask('/tile/0/000', { range });
    assert.equal(status, 206, range);
    assert.equal(headers['content-range'], `bytes ${start}-${end - 1}/${length}`);
    assert.equal(headers['content-length'], String(end - start));
    assert.equal(headers['cache-control'], IMMUTABLE);
    assert.deepEqual(body, bytes.subarray(start, end));
  }
  for (const range of ['bytes=8192-', 'bytes=9000-9001', 'bytes=-0']) {
    const { status, headers } = await ask('/tile/0/000', { range });
    assert.equal(status, 416, range);
    assert.equal(headers['content-range'], `bytes */${length}`);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers.etag, undefined);
  }
  for (const range of ['bytes=5-4', 'bytes=0-1,3-4', 'lines=0-1', 'bytes=a-b', 'bytes=-', 'bytes']) {
    const { status, body } = await ask('/tile/0/000', { range });
    assert.equal(status, 200, range);
    assert.equal(body.length, length);
  }
  assert.equal((await ask('/tile/0/000', { range: 'bytes=0-1' }, 'HEAD')).status, 200);
});

test('a reader that has the version is told so, and one that has another gets the whole object (SERVE-1)', async () => {
  const path = '/tile/0/000';
  const tag = String((await ask(path)).headers.etag);
  assert.match(tag, /^"[\w-]{43}"$/);
  for (const listed of [tag, `W/${tag}`, '*', `"other", ${tag}`]) {
    const { status, headers, body } = await ask(path, { 'if-none-match': listed });
    assert.equal(status, 304, listed);
    assert.equal(body.length, 0);
    assert.equal(headers.etag, tag);
    assert.equal(headers['cache-control'], IMMUTABLE);
  }
  assert.equal((await ask(path, { 'if-none-match': '"other"' })).status, 200);
  assert.equal((await ask(path, { 'if-none-match': tag, range: 'bytes=0-1' })).status, 304);
  assert.equal((await ask(path, { range: 'bytes=0-1', 'if-range': tag })).status, 206);
  assert.equal((await ask(path, { range: 'bytes=0-1', 'if-range': '"other"' })).status, 200);
  assert.equal((await ask(path, { 'if-match': '"other"' })).status, 412);
  assert.equal((await ask(path, { 'if-match': tag })).status, 200);
});

test('a store that has no object of the log in its place has nothing there, and the operator is told (SERVE-2)', async (t) => {
  const told: unknown[] = [];
  const store: ReadableStore = {
    url: 'test://links',
    get: () => Promise.reject(new SteleError('corrupt', 'tile/0/000 is a symbolic link')),
  };
  const linked = await serve(store, (error) => told.push(error));
  t.after(() => linked.close());
  const { status, headers } = await ask('/tile/0/000', {}, 'GET', linked);
  assert.deepEqual([status, headers['cache-control'], told.length], [404, 'no-store', 1]);
});

test('nothing that fails may be cached: 404, 405, 412, 416, 500 and 503 say no-store (SERVE-1)', async () => {
  const failing = (error: Error): ReadableStore => ({ url: 'mem:', get: () => Promise.reject(error) });
  const seen: unknown[] = [];
  const down = await serve(failing(new SteleError('unreachable', 'secret detail')), (error) => seen.push(error));
  const broken = await serve(failing(new Error('secret detail')), (error) => seen.push(error));
  try {
    const answers = [
      await ask('/tile/0/009'),
      await ask('/checkpoint', {}, 'POST'),
      await ask('/checkpoint', { 'if-match': '"x"' }),
      await ask('/checkpoint', { range: 'bytes=99999-' }),
      await ask('/checkpoint', {}, 'GET', broken),
      await ask('/checkpoint', {}, 'GET', down),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [404, 405, 412, 416, 500, 503],
    );
    for (const { status, headers, body } of answers) {
      assert.equal(headers['cache-control'], 'no-store', String(status));
      assert.equal(headers.etag, undefined, String(status));
      assert.equal(headers['access-control-allow-origin'], '*', String(status));
      assert.equal(headers['x-content-type-options'], 'nosniff', String(status));
      assert.doesNotMatch(body.toString(), /secret/);
    }
    assert.equal(answers[5]?.headers['retry-after'], '1');
    assert.equal(seen.length, 2);
  } finally {
    await Promise.all([down.close(), broken.close()]);
  }
});

test('other methods are refused with the ones there are, body or not, and a preflight is answered (SERVE-1)', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'TRACE', 'PROPFIND']) {
    const { status, headers } = await ask('/checkpoint', {}, method);
    assert.equal(status, 405, method);
    assert.equal(headers.allow, 'GET, HEAD, OPTIONS', method);
  }
  const posted = await askRaw(
    'POST /checkpoint HTTP/1.1\r\nHost: log\r\nContent-Type: x/y\r\nContent-Length: 9\r\n\r\n',
  );
  assert.match(posted, /^HTTP\/1\.1 405 /);
  const preflight = await ask('/tile/0/000', { 'access-control-request-headers': 'if-none-match' }, 'OPTIONS');
  assert.equal(preflight.status, 204);
  assert.match(String(preflight.headers['access-control-allow-headers']), /If-None-Match/);
});

test('no other spelling of a path, no other file and no path outside the log exists (SERVE-2, TILES-19)', async () => {
  const targets = [
    '/',
    '//checkpoint',
    '/checkpoint/',
    '/Checkpoint',
    '/checkpoint%00',
    '/%63heckpoint',
    '/./checkpoint',
    '/tile/../checkpoint',
    '/../tree-700-varied/checkpoint',
    '/..%2ftree-700-varied%2fcheckpoint',
    '/%2e%2e/tree-1/checkpoint',
    '/tile%2f0%2f000',
    '/tile/0%2F000',
    '/tile\\0\\000',
    '/tile/0//000',
    '/tile/0/000/',
    '/tile/0/0',
    '/tile/0/0000',
    '/tile/0/x000/000',
    '/tile/00/000',
    '/tile/64/000',
    '/tile/-1/000',
    '/tile/0/002.p/0',
    '/tile/0/002.p/188/',
    '/tile/0/002.p/0188',
    '/tile/0/002.p/256',
    '/tile/0/002.p',
    '/tile/entries',
    '/tile/data/000',
    '/tile',
    '/journal/0000000000000000',
    '/queue/new',
    '/lock',
    '/key',
    '/stele.yaml',
    '/%',
    '/%zz',
    '/checkpoint;x',
    '/checkpoint#x',
    'http://log/checkpoint',
    '*',
    '/healthz/',
    `/tile/0/${'x999/'.repeat(40)}999`,
  ];
  for (const target of targets) {
    const text = await getRaw(target);
    assert.match(text, /^HTTP\/1\.1 404 /, target);
    assert.match(text, /cache-control: no-store/, target);
  }
});

test('what is no request is refused, and not cached either (SERVE-1)', async () => {
  const cases: [string, RegExp][] = [
    ['GET checkpoint HTTP/1.1\r\nHost: log\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    [`GET /checkpoint HTTP/1.1\r\nHost: log\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ];
  for (const [bytes, status] of cases) {
    const text = await askRaw(bytes);
    assert.match(text, status);
    assert.match(text, /Cache-Control: no-store/);
  }
});

test('a query does not change what is served, as with a bucket', async () => {
  assert.equal((await ask('/checkpoint?fresh=1')).status, 200);
  assert.equal((await ask('/checkpoint?../../key')).status, 200);
});

test('whatever encodings a client accepts, it gets the very bytes (SERVE-3)', async () => {
  const bytes = await readFile(new URL('tile/entries/001', LOG));
  for (const accepted of ['gzip', 'br, gzip', 'identity', '*', '']) {
    const { headers, body } = await ask('/tile/entries/001', { 'accept-encoding': accepted });
    assert.equal(headers['content-encoding'], undefined, accepted);
    assert.deepEqual(body, bytes, accepted);
  }
});

test('ready it says it is only while there is a checkpoint to serve, else why not (OBS-2)', async () => {
  const good = await ask('/readyz');
  assert.deepEqual(
    [good.status, good.body.toString(), good.headers['cache-control']],
    [200, '{"status":"READY"}', 'no-store'],
  );
  const empty = await serve({ url: 'mem:', get: () => Promise.resolve(undefined) });
  const down = await serve({ url: 'mem:', get: () => Promise.reject(new SteleError('unreachable', 'x')) });
  try {
    const missing = await ask('/readyz', {}, 'GET', empty);
    assert.deepEqual([missing.status, missing.body.toString()], [503, 'there is no checkpoint\n']);
    const unreadable = await ask('/readyz', {}, 'GET', down);
    assert.deepEqual(
      [unreadable.status, unreadable.body.toString()],
      [503, 'the store cannot be read (unreachable)\n'],
    );
  } finally {
    await Promise.all([empty.close(), down.close()]);
  }
});

test('an address that other machines reach is refused unless that is chosen', async () => {
  const store = openReadableStore(pathToFileURL(LOG.pathname).href);
  for (const host of ['0.0.0.0', '::', '192.0.2.1', 'localhost.example']) {
    const serving = serveLog({ store, listen: { host, port: 0 }, public: false, onError: () => {} });
    await assert.rejects(serving, (error) => isSteleError(error, 'config') && /--public/.test(error.message));
  }
  const open = await serveLog({ store, listen: { host: '0.0.0.0', port: 0 }, public: true, onError: () => {} });
  await open.close();
});

test('an address in use is a configuration error that names it', async () => {
  const { port } = new URL(server.url);
  const store = openReadableStore(pathToFileURL(LOG.pathname).href);
  const again = serveLog({
    store,
    listen: { host: '127.0.0.1', port: Number(port) },
    public: false,
    onError: () => {},
  });
  await assert.rejects(again, (error) => isSteleError(error, 'config') && error.message.includes(`127.0.0.1:${port}`));
});

test('a request under way is answered before the server is closed', async () => {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const bytes = Buffer.from('late');
  const slow = await serve({
    url: 'mem:',
    async get() {
      asked.resolve();
      await release.promise;
      return { bytes, etag: '1' };
    },
  });
  const answer = ask('/checkpoint', {}, 'GET', slow);
  await asked.promise;
  const closed = slow.close();
  release.resolve();
  assert.deepEqual((await answer).body, bytes);
  await closed;
});

test('a listen address is HOST:PORT, an IPv6 host in brackets', () => {
  assert.deepEqual(parseListenAddress('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 });
  assert.deepEqual(parseListenAddress('[::1]:0'), { host: '::1', port: 0 });
  for (const text of [
    '',
    '8080',
    ':8080',
    'localhost',
    'localhost:',
    '::1:80',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    'a b:1',
  ]) {
    assert.throws(
      () => parseListenAddress(text),
      (error) => isSteleError(error, 'config'),
      text,
    );
  }
});

test('ranges of an empty body are unsatisfiable', () => {
  assert.equal(parseByteRange('bytes=0-', 0), 'unsatisfiable');
  assert.equal(parseByteRange('bytes=-1', 0), 'unsatisfiable');
  assert.equal(parseByteRange(undefined, 0), 'whole');
});
