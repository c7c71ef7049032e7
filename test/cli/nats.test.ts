/** A queue on NATS, as far as the command knows of it without a server; with servers: test/interop/nats*.interop.ts. */

import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { judgeNatsQueue } from '../../src/cli/doctor-nats.ts';
import { parseQueuePlace } from '../../src/cli/queue.ts';
import { steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();
const loaded = new Set<string>();
registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith('@nats-io/')) loaded.add(specifier);
    return next(specifier, context);
  },
});

/** A URL that nobody listens at. */
async function nowhere(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `nats://127.0.0.1:${port}/log`;
}

test('the client of NATS is loaded by who has such a queue, and by nobody else', async () => {
  const dir = join(folder, 'lazy');
  assert.equal((await steleHere(['init', dir, '--origin', 'log.example/lazy'])).status, 0);
  assert.equal((await steleHere(['add', '-C', dir, '--lines', '-'], { input: 'a\n' })).status, 0);
  assert.equal((await steleHere(['sequence', '-C', dir, '--once'])).status, 0);
  assert.equal(parseQueuePlace('nats://a/log?replicas=3').kind, 'nats');
  assert.deepEqual([...loaded], []);
});

test('without a server add, sequence and doctor say so, and where', async () => {
  const dir = join(folder, 'nowhere');
  const url = await nowhere();
  assert.equal((await steleHere(['init', dir, '--origin', 'log.example/nowhere'])).status, 0);
  const env = { STELE_QUEUE_URL: url };
  const cases: readonly (readonly string[])[] = [
    ['add', '--queue', url, '--lines', '-'],
    ['add', '-C', dir, '--lines', '-'],
    ['sequence', '-C', dir, '--once'],
  ];
  for (const args of cases) {
    const { status, stderr } = await steleHere(args, { input: 'x\n', env });
    assert.equal(status, 3, stderr);
    assert.ok(stderr.includes(url), stderr);
  }
  const { stdout } = await steleHere(['doctor', dir, '--json'], { env });
  const { findings } = JSON.parse(stdout) as { findings: { check: string; verdict: string; seen: string }[] };
  const found = findings.find(({ check }) => check === 'queue');
  assert.equal(found?.verdict, 'problem');
  assert.ok(found?.seen.includes(url));
  assert.ok(loaded.has('@nats-io/transport-node'), 'it would be seen above');
});

test('a URL that is no queue, or has a password in it, is refused, and the password is not shown', async () => {
  const wrong: readonly [string, RegExp][] = [
    ['nats://nats.example', /is not nats:\/\/HOST/],
    ['nats://nats.example/log?replicas=9', /a number from 1 to 5/],
    ['nats://me:s3cret@nats.example/log', /NATS_USER/],
  ];
  for (const [url, why] of wrong) {
    const { status, stdout, stderr } = await steleHere(['add', '--queue', url, '--lines', '-'], { input: 'x\n' });
    assert.deepEqual([status, stdout], [2, ''], url);
    assert.match(stderr, why);
    assert.ok(!stderr.includes('s3cret'));
  }
});

test('doctor: what waits too long is a problem, what was set aside a warning', () => {
  const state = { waiting: 3, oldestMs: 1_000_000, aside: 2, asideStream: 'log-bad' };
  assert.deepEqual(
    [1_300_000, 1_301_000].map((now) => judgeNatsQueue(state, now).verdict),
    ['warning', 'problem'],
  );
  assert.match(judgeNatsQueue(state, 8_200_000 + 1_000_000).seen, /^3 submissions wait, the oldest since 2 h|137 min/);
  assert.match(judgeNatsQueue({ ...state, oldestMs: undefined }, 9e9).seen, /^2 messages were set aside/);
  assert.equal(judgeNatsQueue({ ...state, oldestMs: undefined, aside: 0 }, 9e9).verdict, 'ok');
});
