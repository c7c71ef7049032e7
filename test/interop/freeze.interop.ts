/**
 * A log in buckets is frozen while several processes write to it and clients submit to all of them: each is told that its
 * entry is logged or that the log has ended, and nothing is logged or signed afterwards.
 */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { generateKey } from '../../src/note/index.ts';
import { Crowd } from '../server/crowd.ts';
import { ask, eventually } from '../server/post.ts';
import { type Fleet, fleetOn, type Member } from './fleet.ts';
import { realPrograms } from './real-programs.ts';
import { type RunningServer, startMinio, startNats } from './servers.ts';

/** Clients of each server. */
const CLIENTS = 15;
const CADENCE = { STELE_PUBLISH_INTERVAL: '200ms', STELE_QUEUE_POLL: '500ms' };

const folder = await mkdtemp(join(tmpdir(), 'stele-freeze-'));
let minio: RunningServer | undefined;
after(async () => {
  await minio?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a bucket log with two servers that write to it is frozen by a third process', async (t) => {
  const fleet = await fleetFor(t, 'servers');
  if (fleet === undefined) return;
  const servers = await Promise.all([fleet.server(), fleet.server()]);
  await freezeWhileSubmitting(t, fleet, servers);
  for (const member of servers) await member.stop();
});

for (const queue of ['bucket', 'nats']) {
  test(`a bucket log with a server, a sequencer and a front end before its ${queue} queue is frozen, and names its successor`, async (t) => {
    const programs = queue === 'nats' ? realPrograms(t, 'nats-server') : undefined;
    await using nats = programs && (await startNats(programs['nats-server'], join(folder, 'nats')));
    if (queue === 'nats' && nats === undefined) return;
    const fleet = await fleetFor(
      t,
      queue,
      nats && { STELE_QUEUE_URL: `${nats.natsUrl}/log?replicas=1&max-bytes=67108864` },
    );
    if (fleet === undefined) return;
    const sequencers = await Promise.all([fleet.server(), fleet.sequencer()]);
    const [server, sequencer] = sequencers;
    const frontEnd = await fleet.server('--no-sequencer');
    const next = generateKey('next.example', randomBytes(32));
    const successor = ['--successor', next.vkey, '--successor-url', 'https://next.example/'];
    await freezeWhileSubmitting(t, fleet, [server, frontEnd], successor);
    const { verifier, url } = (await fleet.reader.successor(await fleet.reader.checkpoint())) ?? {};
    assert.deepEqual([verifier?.vkey, url], [next.vkey, 'https://next.example/']);
    for (const one of [server, frontEnd]) assert.equal((await ask(`${one.url}successor`)).status, 200);
    for (const member of [frontEnd, server, sequencer]) await member.stop();
  });
}

async function fleetFor(t: TestContext, name: string, settings = {}): Promise<Fleet | undefined> {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return undefined;
  minio ??= await startMinio(programs.minio, join(folder, 'minio'));
  return fleetOn(t, minio, folder, name, { ...CADENCE, ...settings });
}

async function freezeWhileSubmitting(
  t: TestContext,
  fleet: Fleet,
  servers: readonly (Member & { readonly url: string })[],
  successor: readonly string[] = [],
): Promise<void> {
  const crowd = new Crowd(servers.map(({ url }) => url));
  const count = CLIENTS * servers.length;
  const clients = Promise.all(Array.from({ length: count }, (_, i) => crowd.submitUntilFrozen(`client ${i}`, i)));
  clients.catch(() => {}); // it is awaited below
  await eventually(() => crowd.logged >= 2 * count, 'many are answered');
  const frozen = await fleet.run('freeze', ...successor);
  assert.equal(frozen.status, 0, frozen.stderr);
  await clients;
  t.diagnostic(JSON.stringify({ ...crowd.answers, slowestMs: Math.round(crowd.slowestMs) }));
  await crowd.assertEnded(fleet, frozen.bytes);
  assert.equal((await fleet.run('freeze', ...successor)).stdout, frozen.stdout, 'and once more changes nothing');
}
