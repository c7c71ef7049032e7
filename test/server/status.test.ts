/** A server that tells how a process is, and nothing else. */

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { SteleError } from '../../src/errors.ts';
import { type ServeStatusOptions, serveStatus } from '../../src/server/index.ts';
import { ask } from './post.ts';

async function startStatus(t: TestContext, options: Partial<ServeStatusOptions> = {}): Promise<string> {
  const server = await serveStatus({
    listen: { host: '127.0.0.1', port: 0 },
    store: { url: 'test:', get: async () => ({ bytes: new Uint8Array(), etag: '1' }) },
    writing: { waiting: () => ({ entries: 2, bytes: 3, oldestMs: 4_000 }) },
    staleMs: 10_000,
    onError: (error) => assert.fail(String(error)),
    ...options,
  });
  t.after(() => server[Symbol.asyncDispose]());
  return server.url;
}

test('it is ready while nothing waits too long, nothing is amiss and the store can be read; else it says why (OBS-2)', async (t) => {
  let oldestMs = 10_000;
  let trouble: string | undefined;
  let get = async (): Promise<{ bytes: Uint8Array; etag: string } | undefined> => ({
    bytes: new Uint8Array(),
    etag: '',
  });
  const told: unknown[] = [];
  const url = await startStatus(t, {
    writing: { waiting: () => ({ entries: 1, bytes: 1, oldestMs }), trouble: () => trouble },
    store: { url: 'test:', get: () => get() },
    onError: (error) => told.push(error),
  });
  const check = async (status: number, text: string): Promise<void> => {
    const { headers, ...answer } = await ask(`${url}readyz`);
    assert.deepEqual([answer.status, answer.body.toString()], [status, text]);
    assert.deepEqual(
      [headers['cache-control'], headers['retry-after']],
      ['no-store', status === 503 ? '1' : undefined],
    );
  };
  await check(200, '{"status":"READY"}');
  oldestMs = 12_345;
  await check(503, 'publication is stale: an entry has waited 12 s for it\n');
  trouble = 'the sequencer is stopping';
  await check(503, 'the sequencer is stopping\n');
  [oldestMs, trouble] = [0, undefined];
  get = async () => undefined;
  await check(503, 'there is no checkpoint\n');
  get = () => Promise.reject(new SteleError('unreachable', 'secret'));
  await check(503, 'the store cannot be read (unreachable)\n');
  assert.deepEqual(told, []);
  const bug = new TypeError('secret');
  get = () => Promise.reject(bug);
  await check(500, 'internal error\n');
  assert.deepEqual(told, [bug]);
});

test('its metrics have what waits, and what was committed and published since', async (t) => {
  const url = await startStatus(t);
  const { body, headers } = await ask(`${url}metrics`);
  assert.match(String(headers['content-type']), /^text\/plain; version=0\.0\.4/);
  for (const line of ['stele_waiting_entries 2', 'stele_waiting_bytes 3', 'stele_oldest_waiting_seconds 4']) {
    assert.ok(body.toString().includes(`\n${line}\n`), line);
  }
  assert.doesNotMatch(body.toString(), /stele_tree_size|stele_signature_checks/, 'nobody said what these are');
});

test('nothing else is there, whatever is sent', async (t) => {
  const url = await startStatus(t);
  for (const [path, method, status] of [
    ['healthz', 'HEAD', 200],
    ['healthz?x', 'GET', 200],
    ['readyz', 'POST', 405],
    ['metrics', 'OPTIONS', 405],
    ['', 'GET', 404],
    ['checkpoint', 'GET', 404],
    ['tile/0/000', 'GET', 404],
    ['log.json', 'GET', 404],
    ['openapi.json', 'GET', 404],
    ['api/v2/log/entries', 'POST', 404],
    ['%', 'GET', 404],
  ] as const) {
    const answer = await ask(`${url}${path}`, { method }, method === 'POST' ? 'nonsense' : undefined);
    assert.equal(answer.status, status, `${method} /${path}`);
    assert.equal(answer.headers['cache-control'], 'no-store', path);
  }
  assert.equal((await ask(`${url}healthz`, { headers: { x: 'x'.repeat(20_000) } })).status, 431);
});
