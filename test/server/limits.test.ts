/** Who may submit, how much and how often, and how the server says that it is well. */

import assert from 'node:assert/strict';
import { METHODS, type RequestOptions } from 'node:http';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { BusyError } from '../../src/errors.ts';
import { RPC } from '../../src/server/failures.ts';
import { parseTokens, type Writing } from '../../src/server/index.ts';
import { ALL_KINDS } from '../entry/proposals.ts';
import {
  ask,
  ENTRIES,
  errorOf,
  eventually,
  post,
  proposal,
  type RawConnection,
  startServer,
  type TestServer,
} from './post.ts';
import { startWatched } from './watched.ts';

const FIRST = 'first-token-0123456789';
const SECOND = 'second+token/0123456789==';

test('with tokens, whoever has none of them may read and not write', async (t) => {
  const tokens = parseTokens(`# those who may\n${FIRST}\n\n${SECOND}\r\n`, 'tokens');
  const server = await startServer(t, { entries: { tokens } });
  const as = (authorization?: string): RequestOptions => ({ headers: authorization ? { authorization } : {} });
  const refused = [
    undefined,
    'Bearer',
    'Bearer ',
    'Bearer wrong-token-0123456789',
    `Bearer ${FIRST.slice(0, -1)}`,
    `Bearer ${FIRST}x`,
    `Bearer ${FIRST} ${SECOND}`,
    `Bearer "${FIRST}"`,
    `Basic ${FIRST}`,
    FIRST,
    'Bearer # those who may',
  ];
  for (const authorization of refused) {
    const answer = await post(server, proposal('x'), as(authorization));
    assert.deepEqual([answer.status, answer.headers['www-authenticate']], [401, 'Bearer'], authorization);
    assert.equal(errorOf(answer).code, RPC.unauthenticated);
  }
  assert.equal((await server.reader.checkpoint()).size, 0);
  for (const authorization of [`Bearer ${FIRST}`, `bearer  ${SECOND}`, `BEARER ${FIRST} `]) {
    assert.equal((await post(server, proposal('x'), as(authorization))).status, 201, authorization);
  }
  for (const path of ['checkpoint', 'api/v2/checkpoint', 'healthz', 'readyz', 'metrics', 'openapi.json']) {
    assert.equal((await ask(`${server.url}${path}`)).status, 200, path);
  }
});

test('a refused token is not waited for: the body is not read, and the connection ends', async (t) => {
  const server = await startServer(t, { entries: { tokens: parseTokens(FIRST, 'tokens') } });
  const connection = server.connect();
  connection.begin(1_000_000);
  assert.match(await connection.end(), /^HTTP\/1\.1 401 .*connection: close/is);
});

test('whoever submits too often waits, and others and readers do not', async (t) => {
  const server = await startServer(t, { entries: { perMinute: 3 } });
  const request = proposal('x');
  const from = (localAddress: string): RequestOptions => ({ localAddress });
  for (let i = 0; i < 3; i++) assert.equal((await post(server, request)).status, 201);
  const answer = await post(server, request);
  assert.equal(answer.status, 429);
  const seconds = Number(answer.headers['retry-after']);
  assert.ok(seconds > 0 && seconds <= 60, String(seconds));
  assert.deepEqual(errorOf(answer), {
    code: RPC.resourceExhausted,
    message: 'more than 3 submissions a minute from one client',
  });
  for (let i = 0; i < 10; i++) assert.equal((await ask(`${server.url}checkpoint`)).status, 200);
  assert.equal((await post(server, request, from('127.0.0.2'))).status, 201);
  assert.deepEqual(server.told, []);
});

test('whom a stranger claims to be sending for is not believed', async (t) => {
  const server = await startServer(t, { entries: { perMinute: 3 } });
  const statuses = [];
  for (let i = 1; i <= 4; i++) {
    const headers = { 'x-forwarded-for': `203.0.113.${i}`, forwarded: `for=203.0.113.${i}` };
    statuses.push((await post(server, proposal('x'), { headers })).status);
  }
  assert.deepEqual(statuses, [201, 201, 201, 429]);
  assert.equal(server.answered[0]?.client, '127.0.0.1');
});

test('behind a trusted proxy clients are told apart by what it alone says, an IPv6 network as one', async (t) => {
  const options = { entries: { perMinute: 1 }, serving: { trustedProxies: ['127.0.0.1', '198.51.100.0/24'] } };
  const server = await startServer(t, options);
  const status = async (forwarded: string, localAddress = '127.0.0.1'): Promise<number> =>
    (await post(server, proposal('x'), { headers: { 'x-forwarded-for': forwarded }, localAddress })).status;
  assert.equal(await status('203.0.113.1'), 201);
  assert.equal(await status('203.0.113.1'), 429);
  assert.equal(await status('203.0.113.2'), 201);
  assert.equal(await status('192.0.2.9, 203.0.113.2'), 429, 'what stands before it is the word of a stranger');
  assert.equal(await status('203.0.113.2, 198.51.100.7'), 429, 'through two proxies that are trusted');
  assert.equal(await status('2001:db8:1:2::1'), 201);
  assert.equal(await status('2001:db8:1:2:ffff::9'), 429);
  assert.equal(await status('2001:db8:1:3::1'), 201);
  assert.equal(await status('203.0.113.3', '127.0.0.2'), 201);
  assert.equal(await status('203.0.113.4', '127.0.0.2'), 429, 'a peer that is no trusted proxy');
});

const MIB = 2 ** 20;

/** As many uploads as there is memory for, of which each lacks its last byte. */
async function uploadAll(server: TestServer): Promise<RawConnection[]> {
  const uploads = Array.from({ length: 16 }, () => server.connect());
  for (const upload of uploads) {
    upload.begin(4 * MIB);
    upload.send(new Uint8Array(4 * MIB - 1).fill(0x20));
  }
  await eventually(async () => (await post(server, proposal('x'))).status === 503, 'there is no room for more');
  const { headers, ...answer } = await post(server, proposal('x'));
  assert.deepEqual([answer.status, headers['retry-after']], [503, '1']);
  assert.equal(uploads.filter(({ text }) => text !== '').length, 0, 'whoever was there first is not turned away');
  return uploads;
}

const ENDINGS: Readonly<Record<string, (upload: RawConnection) => Promise<unknown>>> = {
  'are cut off': (upload) => upload.cut(),
  'turn out to be no entries': async (upload) => {
    upload.send(new Uint8Array(1).fill(0x20));
    await eventually(() => upload.text.startsWith('HTTP/1.1 400 '), 'an upload is answered');
    await upload.cut();
  },
};

for (const [ending, end] of Object.entries(ENDINGS)) {
  test(`what uploads take beyond the memory there is is turned away, and all of it comes back when they ${ending} (LIMIT-4)`, async (t) => {
    const server = await startServer(t);
    for (let round = 0; round < 2; round++) {
      await Promise.all((await uploadAll(server)).map(end));
      const isTaken = async (): Promise<boolean> => (await post(server, proposal('x'))).status === 201;
      await eventually(isTaken, 'a submission is taken again');
    }
    assert.deepEqual(server.told, []);
  });
}

test('uploads that announce much and send nothing keep nobody out (LIMIT-4)', async (t) => {
  const server = await startServer(t);
  const uploads = Array.from({ length: 100 }, () => server.connect());
  for (const upload of uploads) upload.begin(4 * MIB);
  assert.equal((await post(server, proposal('x'))).status, 201);
  await Promise.all(uploads.map((upload) => upload.cut()));
});

/** As many submissions as there is memory for, of which none gets any further than the log until it is let go. */
async function submitAll(t: TestContext) {
  const gate = Promise.withResolvers<void>();
  t.after(() => gate.resolve());
  let waiting = 0;
  const submitOne: Writing['submitOne'] = async () => {
    waiting += 1;
    await gate.promise;
    throw new BusyError('the log was asked', 1_000);
  };
  const server = await startServer(t, { writing: (real) => ({ ...real, submitOne }) });
  const text = JSON.stringify(proposal('x')).padEnd(4 * MIB);
  const uploads = Array.from({ length: 16 }, () => server.connect());
  for (const upload of uploads) {
    upload.begin(text.length);
    upload.send(text);
  }
  await eventually(() => waiting === 16, 'all of them wait');
  return { server, uploads, release: gate.resolve };
}

const toldTo = async (server: TestServer): Promise<string> => errorOf(await post(server, proposal('x'))).message;

test('clients that leave while they wait take no memory with them (LIMIT-4)', async (t) => {
  const { server, uploads, release } = await submitAll(t);
  assert.equal(await toldTo(server), 'too much is being received now');
  await Promise.all(uploads.map((upload) => upload.cut()));
  release();
  await eventually(async () => (await toldTo(server)) === 'the log was asked', 'a submission gets as far as the log');
});

test('what a client has sent counts until it is done with, also when the client has left (LIMIT-4)', async (t) => {
  const { server, uploads, release } = await submitAll(t);
  await Promise.all(uploads.map((upload) => upload.cut()));
  await ask(`${server.url}healthz`); // by then the server knows
  setTimeout(release, 1_000); // so that this ends if it is not as it says
  assert.equal(await toldTo(server), 'too much is being received now');
});

test('a request that is too large is refused before it is there, however its end is announced (LIMIT-4)', async (t) => {
  const server = await startServer(t, { entries: { maxBodyBytes: 1_000 } });
  const declared = server.connect();
  declared.begin(10 * 2 ** 30);
  const chunked = server.connect();
  chunked.send(`POST /${ENTRIES} HTTP/1.1\r\nHost: log\r\nTransfer-Encoding: chunked\r\n\r\n`);
  for (let i = 0; i < 3; i++) chunked.send(`190\r\n${' '.repeat(0x190)}\r\n`);
  for (const connection of [declared, chunked]) {
    const text = await connection.end();
    assert.match(text, /^HTTP\/1\.1 413 .*connection: close.*\r\n\r\n\{"code":3,/is);
  }
});

/** What takes longest to be looked at: as many values as there is room for. */
const LARGEST: Readonly<Record<string, (bytes: number) => string>> = {
  spaces: (bytes) => ' '.repeat(bytes),
  numbers: (bytes) => `[${'0,'.repeat(bytes / 2 - 2)}0]`,
  texts: (bytes) => `[${'"",'.repeat(bytes / 3 - 2)}""]`,
  lists: (bytes) => `[${'[],'.repeat(bytes / 3 - 2)}[]]`,
  members: (bytes) => `{${Array.from({ length: bytes / 14 }, (_, i) => `"${i}":0`).join()}}`,
  verifiers: (bytes) => `{"dsseRequestV002":{"verifiers":[${'{},'.repeat(bytes / 3 - 30)}{}]}}`,
  'quotes in a text': (bytes) => `"${'\\"'.repeat(bytes / 2 - 1)}"`,
  depth: (bytes) => '['.repeat(bytes),
};

test('no request of the largest size keeps all others waiting for two seconds (LIMIT-4)', async (t) => {
  const server = await startServer(t, { entries: { proposals: ALL_KINDS } });
  for (const [what, make] of Object.entries(LARGEST)) {
    const text = make(4 * MIB);
    const before = process.cpuUsage();
    assert.equal((await post(server, text)).status, 400, what);
    const { user, system } = process.cpuUsage(before); // the client's part is small, and other processes do not count
    const ms = (user + system) / 1_000;
    assert.ok(ms < 2_000, `${what}: ${Math.round(ms)} ms`);
  }
});

test('a flood of headers is refused, or does no harm (LIMIT-4)', async (t) => {
  const server = await startServer(t);
  const text = JSON.stringify(proposal('x'));
  for (const [headers, status] of [
    [`X: ${'x'.repeat(20_000)}\r\n`, /^HTTP\/1\.1 431 /],
    ['x:x\r\n'.repeat(5_000), /^HTTP\/1\.1 431 /],
    ['x:x\r\n'.repeat(900), /^HTTP\/1\.1 201 /],
  ] as const) {
    const connection = server.connect();
    connection.send(
      `POST /${ENTRIES} HTTP/1.1\r\nHost: log\r\nConnection: close\r\nContent-Length: ${text.length}\r\n${headers}\r\n${text}`,
    );
    assert.match(await connection.end(), status);
  }
});

test('what takes too long to arrive is given up, head or body, and not cached (LIMIT-4)', async (t) => {
  const { server, http } = await startWatched(t);
  http.headersTimeout = http.requestTimeout = 300; // nobody has longer here
  const [head, body] = [server.connect(), server.connect()];
  head.send(`POST /${ENTRIES} HTTP/1.1\r\nHost: log\r\nX: `);
  body.begin(1_000);
  const drip = setInterval(() => [head, body].map((connection) => connection.send('x')), 20);
  t.after(() => clearInterval(drip));
  for (const connection of [head, body]) {
    assert.match(await connection.end(), /^HTTP\/1\.1 408 .*Cache-Control: no-store/s);
  }
  assert.deepEqual(server.told, []);
});

test('a request has 20 seconds to arrive, and not more, whatever it is that comes slowly (LIMIT-4)', async (t) => {
  const { http, lookingMs } = await startWatched(t);
  // Node takes the longer of the two for the whole request, and looks for those that are too late now and then.
  const ms = Math.max(http.headersTimeout, http.requestTimeout) + lookingMs;
  assert.ok(ms <= 20_000, `${http.headersTimeout}, ${http.requestTimeout} and ${lookingMs} ms`);
});

test('what never arrives does not keep the server from closing (LIMIT-4)', async (t) => {
  const server = await startServer(t);
  const slow = { nothing: server.connect(), 'half a head': server.connect(), 'half a body': server.connect() };
  slow['half a head'].send('GET /checkpoint HTTP/1.1\r\nHost: ');
  slow['half a body'].begin(1_000);
  await ask(`${server.url}healthz`); // by then they have come
  const over = new AbortController();
  const closed = server.server.close().then(() => true);
  // A request may take 15 seconds to arrive.
  const late = systemClock.sleep(17_000, over.signal).then(() => false);
  const inTime = await Promise.race([closed, late]);
  over.abort();
  const open = Object.entries(slow).flatMap(([what, connection]) => (connection.isOpen ? [what] : []));
  assert.ok(inTime, `after 17 seconds the server still waits for ${open.join(', ')}`);
});

test('a body is taken whatever its Content-Type says, as upstream does', async (t) => {
  const server = await startServer(t);
  const types = [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/json, text/plain',
    'application/json;',
    'application/',
    'json',
    '*/*',
    ';',
    '',
  ];
  const refused: string[] = [];
  for (const type of types) {
    const { status } = await post(server, proposal('x'), { headers: { 'content-type': type } });
    if (status !== 201) refused.push(`${status} for "${type}"`);
  }
  const text = JSON.stringify(proposal('x'));
  const untyped = { method: 'POST', headers: { 'content-length': String(text.length) } };
  assert.equal((await ask(`${server.url}${ENTRIES}`, untyped, text)).status, 201);
  assert.deepEqual(refused, []);
});

test('a body is taken in chunks, and after 100 Continue', async (t) => {
  const server = await startServer(t);
  const chunked = { headers: { 'transfer-encoding': 'chunked' } };
  assert.equal((await post(server, proposal('x'), chunked)).status, 201);
  const text = JSON.stringify(proposal('y'));
  const connection = server.connect();
  connection.send(
    `POST /${ENTRIES} HTTP/1.1\r\nHost: log\r\nExpect: 100-continue\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n`,
  );
  await eventually(() => connection.text.startsWith('HTTP/1.1 100 Continue\r\n\r\n'), 'the client is told to go on');
  connection.send(text);
  assert.match(await connection.end(), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
});

/** Samples of the metrics, by name and labels. */
async function metricsOf(server: TestServer): Promise<Map<string, number>> {
  const { status, headers, body } = await ask(`${server.url}metrics`);
  assert.deepEqual([status, headers['cache-control']], [200, 'no-store']);
  const samples = body.toString().matchAll(/^(?<sample>[a-z_]+(?:\{[^}]*\})?) (?<value>\S+)$/gm);
  return new Map([...samples].map(({ groups }) => [groups?.['sample'] ?? '', Number(groups?.['value'])]));
}

test('a server is ready only while it can log and be read, and says why not; it is alive all the while (OBS-2)', async (t) => {
  let trouble: string | undefined;
  let oldestMs = 0;
  const writing = (real: Writing): Writing => ({
    ...real,
    waiting: () => ({ entries: 1, bytes: 1, oldestMs }),
    trouble: () => trouble,
  });
  const server = await startServer(t, { writing });
  const check = async (reason: string | undefined): Promise<void> => {
    const { status, headers, body } = await ask(`${server.url}readyz`);
    const ready = reason === undefined;
    assert.deepEqual([status, body.toString()], ready ? [200, '{"status":"READY"}'] : [503, `${reason}\n`]);
    assert.deepEqual([headers['cache-control'], headers['retry-after']], ['no-store', ready ? undefined : '1']);
    const health = await ask(`${server.url}healthz`);
    assert.deepEqual([health.status, health.body.toString()], [200, '{"status":"SERVING"}']);
  };
  await check(undefined);
  oldestMs = 10_000;
  await check(undefined);
  oldestMs = 12_345;
  await check('publication is stale: an entry has waited 12 s for it');
  trouble = 'the sequencer has ended: x';
  await check('the sequencer has ended: x');
  [trouble, oldestMs] = [undefined, 0];
  await server.log.publicStore.delete('checkpoint');
  await check('there is no checkpoint');
});

test('whatever is asked for, there are few kinds of counters (OBS-1)', async (t) => {
  const server = await startServer(t);
  const methods = METHODS.filter((method) => method !== 'CONNECT'); // which is no request for a server
  for (let i = 0; i < 60; i++) {
    await ask(`${server.url}path-${i}/${'x'.repeat(i)}?q=${i}`, { method: methods[i % methods.length] ?? 'GET' });
    await post(server, { [`kind${i}`]: {} });
  }
  const labels = [...(await metricsOf(server)).keys()].filter((sample) => sample.startsWith('stele_'));
  const requests = labels.filter((sample) => sample.startsWith('stele_http_requests_total'));
  assert.ok(requests.length <= 9, requests.join('\n')); // four of them are there from the start
  assert.ok(
    requests.includes('stele_http_requests_total{route="none",method="other",code="404"}'),
    requests.join('\n'),
  );
  assert.deepEqual(
    labels.filter((sample) => sample.startsWith('stele_submissions_total')),
    ['stele_submissions_total{kind="none",outcome="refused"}'],
  );
  assert.doesNotMatch(labels.join('\n'), /path-|kind\d/);
});

test('what was submitted, committed and published is counted (OBS-1)', async (t) => {
  const server = await startServer(t);
  for (const text of ['a', 'b']) await post(server, proposal(text));
  const request = proposal('c');
  for (let i = 0; i < 2; i++) await post(server, request);
  await post(server, 'nonsense');
  await ask(`${server.url}checkpoint`);
  const metrics = await metricsOf(server);
  for (const [sample, value] of [
    ['stele_submissions_total{kind="hashedrekord",outcome="added"}', 3],
    ['stele_submissions_total{kind="hashedrekord",outcome="duplicate"}', 1],
    ['stele_submissions_total{kind="none",outcome="refused"}', 1],
    ['stele_submission_duration_seconds_count', 4],
    ['stele_http_requests_total{route="/api/v2/log/entries",method="POST",code="201"}', 4],
    ['stele_http_requests_total{route="/api/v2/log/entries",method="POST",code="400"}', 1],
    ['stele_http_requests_total{route="checkpoint",method="GET",code="200"}', 1],
    ['stele_committed_entries_total', 3],
    ['stele_publications_total', 3],
    ['stele_tree_size', 3],
    ['stele_checkpoint_cosignatures', 0],
    ['stele_waiting_entries', 0],
    ['stele_waiting_bytes', 0],
  ] as const) {
    assert.equal(metrics.get(sample), value, sample);
  }
  const published = metrics.get('stele_last_publication_timestamp_seconds') ?? 0;
  assert.ok(Math.abs(published - Date.now() / 1_000) < 60, String(published));
});
