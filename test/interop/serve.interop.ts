/** `stele serve` and nginx serve one log alike; and a CDN that keeps 404s delays readers, but fails none. */

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { nginxExample, startNginx } from '../../examples/shared/servers.ts';
import { LogReader, openHttp, parseVerifierKey } from '../../src/reader.ts';
import { serveLog } from '../../src/server/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { tilePath } from '../../src/tiles/index.ts';
import { type Ran, steleHere, temporaryFolder } from '../cli/run-stele.ts';
import { realPrograms } from './real-programs.ts';

const folder = temporaryFolder();

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function ask(url: string, method = 'GET', headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
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

/** The status of a target that no client would send. */
function rawStatus(base: string, target: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('close', () => resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0)));
    socket.on('error', reject);
    socket.write(`GET ${target} HTTP/1.1\r\nHost: log.example\r\nConnection: close\r\n\r\n`, 'latin1');
  });
}

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

async function newLog(name: string): Promise<{ dir: string; public: string; vkey: string }> {
  const dir = join(folder, name);
  const { stdout } = await ok(['init', dir, '--origin', `log.example/${name}`]);
  return { dir, public: join(dir, 'public'), vkey: stdout.trim() };
}

async function grow(dir: string, from: number, count: number): Promise<void> {
  await ok(['add', '-C', dir, '--lines', '-'], Array.from({ length: count }, (_, i) => `entry ${from + i}\n`).join(''));
  await ok(['sequence', '-C', dir, '--once']);
}

/** `stele serve` and nginx, each with its URL, serving one public folder. */
async function serveTwice(t: TestContext, program: string, publicFolder: string): Promise<[string, string][]> {
  const store = openReadableStore(pathToFileURL(publicFolder).href);
  const own = await serveLog({ store, listen: { host: '127.0.0.1', port: 0 }, public: false, onError: () => {} });
  t.after(() => own.close());
  const nginx = await startNginx(program, emptyFolder(t), (port) =>
    nginxExample('directory.conf', { 'listen 80': `listen 127.0.0.1:${port}`, '/var/www/stele/demo': publicFolder }),
  );
  t.after(() => nginx.stop());
  return [
    ['stele serve', own.url],
    ['nginx', nginx.url],
  ];
}

function emptyFolder(t: TestContext): string {
  const place = mkdtempSync(join(folder, 'nginx-'));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  return place;
}

function objectsOf(publicFolder: string): string[] {
  return readdirSync(publicFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('/.'))
    .map((entry) => join(entry.parentPath, entry.name).slice(publicFolder.length + 1));
}

const SAME = ['content-type', 'cache-control', 'access-control-allow-origin', 'x-content-type-options'] as const;
const pick = ({ status, headers }: Answer) => [status, ...SAME.map((name) => headers[name])];

test('nginx and `stele serve` serve the same bytes and headers, whole, in part, and not at all (SERVE-1, SERVE-3)', async (t) => {
  const programs = realPrograms(t, 'nginx');
  if (programs === undefined) return;
  const log = await newLog('same');
  await grow(log.dir, 0, 600);
  await grow(log.dir, 600, 100);
  writeFileSync(join(log.public, 'successor'), 'of a frozen log\n'.repeat(4));
  const servers = await serveTwice(t, programs.nginx, log.public);
  const objects = objectsOf(log.public);
  assert.ok(objects.length >= 10 && objects.includes('checkpoint') && objects.includes('log.json'));

  for (const key of objects) {
    const bytes = readFileSync(join(log.public, key));
    const seen: unknown[][] = [];
    for (const [name, base] of servers) {
      // Who accepts gzip, and who says nothing of it, get the bytes as they are.
      for (const headers of [{}, { 'accept-encoding': 'gzip, br' }]) {
        const got = await ask(base + key, 'GET', headers);
        assert.deepEqual(got.body, bytes, `${name} ${key}`);
        assert.equal(got.headers['content-encoding'], undefined, `${name} ${key}`);
        assert.equal(got.headers['content-length'], String(bytes.length), `${name} ${key}`);
        seen.push(pick(got));
      }
      const head = await ask(base + key, 'HEAD');
      assert.deepEqual([head.body.length, head.headers['content-length']], [0, String(bytes.length)], `${name} ${key}`);
      seen.push(pick(head));
      const part = await ask(base + key, 'GET', { range: 'bytes=3-17' });
      assert.deepEqual(part.body, bytes.subarray(3, 18), `${name} ${key}`);
      assert.equal(part.headers['content-range'], `bytes 3-17/${bytes.length}`, `${name} ${key}`);
      assert.deepEqual(pick(part), [206, ...pick(head).slice(1)], `${name} ${key}`);
      const beyond = await ask(base + key, 'GET', { range: `bytes=${bytes.length}-` });
      assert.equal(beyond.status, 416, `${name} ${key}`);
      // nginx says it after what it had said before it looked at the range; the stricter of two counts.
      assert.match(String(beyond.headers['cache-control']), /(^|, )no-store$/, `${name} ${key}`);
      await assertConditional(name, base + key, key);
    }
    for (const answer of seen) assert.deepEqual(answer, seen[0], key);
  }
  for (const [name, base] of servers) {
    for (const target of ['tile/0/003', 'tile/0/002.p/3', 'tile/entries/x001/000', 'index.html', '']) {
      const absent = await ask(base + target);
      assert.deepEqual([absent.status, absent.headers['cache-control']], [404, 'no-store'], `${name} /${target}`);
      assert.equal(absent.headers['access-control-allow-origin'], '*', `${name} /${target}`);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      for (const key of ['checkpoint', 'tile/0/000']) {
        const refused = await ask(base + key, method);
        assert.deepEqual([refused.status, refused.headers['cache-control']], [405, 'no-store'], `${name} ${method}`);
      }
    }
    for (const key of ['checkpoint', 'tile/0/000']) {
      const preflight = await ask(base + key, 'OPTIONS', { origin: 'https://a.example' });
      assert.equal(preflight.status, 204, name);
      assert.equal(preflight.headers['access-control-allow-methods'], 'GET, HEAD, OPTIONS', name);
      assert.match(String(preflight.headers['access-control-allow-headers']), /If-None-Match.*Range/, name);
      assert.equal(preflight.headers['access-control-allow-origin'], '*', name);
    }
    const doctor = await ok(['doctor', base, '--vkey', log.vkey, '--json']);
    const { findings } = JSON.parse(doctor.stdout) as { findings: { verdict: string; seen: string }[] };
    assert.deepEqual(
      findings.filter(({ verdict }) => verdict !== 'ok'),
      [],
      name,
    );
  }
});

/** Whoever has a tile is told by a 304 that it is the same; a checkpoint has a validator that is sound, or none. */
async function assertConditional(name: string, url: string, key: string): Promise<void> {
  const { headers } = await ask(url);
  const etag = headers['etag'];
  if (key === 'checkpoint' && name === 'nginx') {
    assert.deepEqual([etag, headers['last-modified']], [undefined, undefined], name);
    return;
  }
  const same = await ask(url, 'GET', { 'if-none-match': String(etag) });
  assert.deepEqual([same.status, same.body.length], [304, 0], `${name} ${key}`);
  assert.equal(same.headers['cache-control'], headers['cache-control'], `${name} ${key}`);
  const other = await ask(url, 'GET', { 'if-none-match': '"another"' });
  assert.equal(other.status, 200, `${name} ${key}`);
}

test('neither serves what is not of the log: other spellings, links, the private store, temporary files (SERVE-2)', async (t) => {
  const programs = realPrograms(t, 'nginx');
  if (programs === undefined) return;
  const log = await newLog('hidden');
  await grow(log.dir, 0, 300);
  symlinkSync(join(log.dir, 'key'), join(log.public, 'tile/0/777'));
  symlinkSync(join(log.dir, 'private'), join(log.public, 'tile/0/x001'));
  const servers = await serveTwice(t, programs.nginx, log.public);
  const targets = [
    '/../key',
    '/tile/../../key',
    '/tile/..%2f..%2fkey',
    '/%2e%2e/private/log.json',
    '/private/log.json',
    '/tile/0/777',
    '/tile/0/x001/000',
    '/tile%2F0%2F000',
    '/tile/0%2F000',
    '/%63heckpoint',
    '//checkpoint',
    '/./checkpoint',
    '/checkpoint/',
    '/tile/0/',
    '/tile/',
    '/.tmp/',
    '/.lock/holder',
    '/stele.yaml',
    '/journal/0000000000000000',
    '/queue/new/',
  ];
  for (const [name, base] of servers) {
    for (const target of targets) {
      const status = await rawStatus(base, target);
      assert.ok(status === 404 || (status === 400 && /\.\.|%2e%2e/.test(target)), `${name} ${target}: ${status}`);
    }
    assert.equal(await rawStatus(base, '/checkpoint?fresh=1'), 200, name);
  }
});

test('a reader behind a CDN that keeps 404s for ten seconds follows a growing log without an error, only later', async (t) => {
  const programs = realPrograms(t, 'nginx');
  if (programs === undefined) return;
  const log = await newLog('followed');
  const store = openReadableStore(pathToFileURL(log.public).href);
  const origin = await serveLog({
    store,
    listen: { host: '127.0.0.1', port: 0 },
    public: false,
    onError: assert.ifError,
  });
  t.after(() => origin.close());
  // A CDN as it should not be: 404s are kept whatever the origin says of them.
  const place = emptyFolder(t);
  const cdn = await startNginx(
    programs.nginx,
    place,
    (port) => `
proxy_cache_path ${place}/cache keys_zone=cdn:1m;
server { listen 127.0.0.1:${port};
  add_header X-Cache-Status $upstream_cache_status always;
  location = /checkpoint { proxy_pass ${origin.url}checkpoint; }
  location / { proxy_pass ${origin.url}; proxy_cache cdn; proxy_cache_key $uri; proxy_cache_valid 200 1d;
    proxy_ignore_headers Cache-Control; proxy_cache_valid 404 10s; }
}`,
  );
  t.after(() => cdn.stop());

  const reader = new LogReader(openHttp(cdn.url), parseVerifierKey(log.vkey));
  const sizes: number[] = [];
  let [known, hidden, slowestMs] = [await reader.checkpoint(), 0, 0];
  for (const size of [5, 250, 256, 300, 520]) {
    // Somebody asks for everything that the next checkpoint will need, a moment too early.
    for (const key of neededFor(known.size, size)) assert.equal((await ask(cdn.url + key)).status, 404, key);
    await grow(log.dir, known.size, size - known.size);
    for (const key of neededFor(known.size, size)) {
      if ((await ask(cdn.url + key)).headers['x-cache-status'] === 'HIT') hidden += 1;
    }
    const began = performance.now();
    const next = await reader.verifyConsistencyWith(known, await reader.checkpoint());
    let index = known.size;
    for await (const { entry } of reader.entries(known.size, next.size, next)) {
      assert.equal(Buffer.from(entry).toString(), `entry ${index++}`);
    }
    slowestMs = Math.max(slowestMs, performance.now() - began);
    sizes.push(index);
    known = next;
  }
  assert.deepEqual(sizes, [5, 250, 256, 300, 520]);
  assert.ok(hidden >= 5, `${hidden} objects were hidden by a cached 404: the test must hide some`);
  assert.ok(slowestMs > 1_000, `the slowest step took ${slowestMs} ms: nothing was waited for`);
  console.log(
    `${hidden} objects hidden by cached 404s; the slowest of ${sizes.length} steps took ${Math.round(slowestMs)} ms`,
  );

  const doctor = await steleHere(['doctor', cdn.url, '--vkey', log.vkey, '--json']);
  const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; verdict: string; seen: string }[] };
  const absent = findings.find(({ check }) => check === 'absent');
  assert.deepEqual([doctor.status, absent?.verdict], [1, 'problem'], JSON.stringify(findings));
});

/** Tiles and bundles of the new right edge. */
function neededFor(from: number, to: number): string[] {
  const keys: string[] = [];
  for (let n = Math.floor(from / 256); n * 256 < to; n++) {
    const width = Math.min(256, to - n * 256);
    keys.push(tilePath({ level: 0, n, width }), tilePath({ level: 'entries', n, width }));
  }
  return keys;
}
