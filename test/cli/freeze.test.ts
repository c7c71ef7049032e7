/** A log in a folder is frozen as its operator would, while clients submit to its server and to a front end before its queue. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { LogReader } from '../../src/client/index.ts';
import { generateKey, parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { Crowd } from '../server/crowd.ts';
import { ask, eventually } from '../server/post.ts';
import { newLog } from '../sigstore/served-log.ts';
import { start, steleHere } from './run-stele.ts';

/** Clients of each server. */
const CLIENTS = 10;
const ANY_PORT = '127.0.0.1:0';

test('whoever submits while a log in a folder is frozen is told that it is logged, or that the log has ended', async (t) => {
  const log = await newLog('frozen.example');
  t.after(() => rm(log.folder, { recursive: true, force: true }));
  const next = generateKey('next.example', randomBytes(32));
  const verifier = parseVerifierKey(log.vkey);
  const store = openReadableStore(pathToFileURL(join(log.dir, 'public')).href);
  const checkpoint = (): Buffer => readFileSync(join(log.dir, 'public/checkpoint'));

  const [server, frontEnd] = await Promise.all([
    serve(t, log.dir, ANY_PORT),
    serve(t, log.dir, ANY_PORT, '--no-sequencer'),
  ]);
  const crowd = new Crowd([server.url, frontEnd.url]);
  const clients = Array.from({ length: 2 * CLIENTS }, (_, i) => crowd.submitUntilFrozen(`client ${i}`, i));
  const ended = Promise.all(clients);
  ended.catch(() => {}); // it is awaited below
  await eventually(() => crowd.logged >= 4 * CLIENTS, 'many are answered');

  const successor = ['--successor', next.vkey, '--successor-url', 'https://next.example/'];
  const locked = await steleHere(['freeze', '-C', log.dir, ...successor]);
  assert.equal(locked.status, 3, 'it is not frozen under the hands of its server');
  assert.match(locked.stderr, new RegExp(`\\b${server.running.child.pid}\\b`));

  const freezing = steleHere(['freeze', '-C', log.dir, '--lock-wait', '30', ...successor]);
  server.running.child.kill('SIGTERM');
  const [stopped, frozen] = await Promise.all([server.running.ended, freezing]);
  assert.deepEqual([stopped.status, frozen.status], [0, 0], stopped.stderr + frozen.stderr);
  assert.deepEqual(checkpoint(), frozen.bytes);

  // Who was cut off from the server goes on at the front end; a sequencer has to be there to tell them.
  const again = await serve(t, log.dir, new URL(server.url).host);
  await ended;
  t.diagnostic(JSON.stringify(crowd.answers));
  const reader = new LogReader(store, verifier);
  await crowd.assertEnded({ store, reader, verifier }, frozen.bytes);
  const { verifier: following, url } = (await reader.successor(await reader.checkpoint())) ?? {};
  assert.deepEqual([following?.vkey, url], [next.vkey, 'https://next.example/']);
  for (const { url } of [again, frontEnd]) assert.equal((await ask(`${url}successor`)).status, 200);
  for (const { running } of [again, frontEnd]) {
    running.child.kill('SIGTERM');
    const { status, stderr } = await running.ended;
    assert.equal(status, 0, stderr);
  }
});

async function serve(t: TestContext, dir: string, listen: string, ...flags: readonly string[]) {
  const running = start(['serve', '-C', dir, '--listen', listen, '--log-level', 'warn', ...flags]);
  t.after(() => running.child.kill('SIGKILL'));
  return { url: await running.said(/(http:\/\/127\.0\.0\.1:\d+\/)/), running };
}
