/**
 * Front ends (`stele serve --no-sequencer`) and sequencers, each a process of its own, before one bucket: one of either is
 * killed while many submit, some by both front ends at once, and every entry is in the log once, where they were told.
 */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { fsck } from '../../src/client/index.ts';
import { parseNatsUrl } from '../../src/queue/index.ts';
import { bodyOf, type Sendable } from '../entry/proposals.ts';
import { Crowd } from '../server/crowd.ts';
import { entryOf, proposal } from '../server/post.ts';
import { type Fleet, fleetOn } from './fleet.ts';
import { realPrograms } from './real-programs.ts';
import { startMinio, startNats } from './servers.ts';

const CLIENTS = 40;
/** Entries of each, one after another. */
const ENTRIES = 12;
/** Short, so that what a killed sequencer had taken is soon with the other one. In ns. */
const ACK_WAIT = 3e9;
const CADENCE = { STELE_PUBLISH_INTERVAL: '200ms', STELE_QUEUE_POLL: '500ms' };

const folder = await mkdtemp(join(tmpdir(), 'stele-front-ends-'));
after(() => rm(folder, { recursive: true, force: true }));

test('front ends before a bucket queue: killed and started again, none of what they were sent is lost or logged twice', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  await using minio = await startMinio(programs.minio, join(folder, 'minio'));
  await submitWhileKilling(t, await fleetOn(t, minio, folder, 'bucket', CADENCE));
});

test('front ends before NATS: killed and started again, none of what they were sent is lost or logged twice', async (t) => {
  const programs = realPrograms(t, 'minio', 'nats-server');
  if (programs === undefined) return;
  await using minio = await startMinio(programs.minio, join(folder, 'minio'));
  await using nats = await startNats(programs['nats-server'], join(folder, 'nats'));
  const queue = `${nats.natsUrl}/log?replicas=1&max-bytes=67108864`;
  const fleet = await fleetOn(t, minio, folder, 'nats', { ...CADENCE, STELE_QUEUE_URL: queue });
  await submitWhileKilling(t, fleet, async () => {
    const connection = await connect({ servers: [...parseNatsUrl(queue).servers] });
    await (await jetstreamManager(connection)).consumers.update('log', 'sequencers', { ack_wait: ACK_WAIT });
    await connection.close();
  });
});

async function submitWhileKilling(t: TestContext, fleet: Fleet, onSequenced = async (): Promise<void> => {}) {
  const sequencers = await Promise.all([fleet.sequencer(), fleet.sequencer()]);
  await onSequenced();
  const frontEnds = await Promise.all([fleet.server('--no-sequencer'), fleet.server('--no-sequencer')]);
  const crowd = new Crowd(frontEnds.map(({ url }) => url));
  const sent: Sendable[] = [];

  const client = async (number: number): Promise<void> => {
    for (let i = 0; i < ENTRIES; i++) {
      const entry = proposal(`client ${number}: ${i}`);
      sent.push(entry);
      // Every third goes to both at once, and it is one entry all the same.
      const by = i % 3 === 0 ? [number, number + 1] : [number];
      const answers = await Promise.all(by.map((frontEnd) => crowd.submit(entry, frontEnd)));
      assert.equal(new Set(answers.map((answer) => entryOf(answer).logIndex)).size, 1);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)));
  clients.catch(() => {}); // it is awaited below
  const loggedAre = async (part: number): Promise<void> => {
    while (crowd.logged < part * CLIENTS * ENTRIES) await Promise.race([sleep(20), clients]);
  };
  const [firstSequencer] = sequencers;
  const [firstFrontEnd] = frontEnds;
  await loggedAre(0.2);
  await firstSequencer.kill();
  await loggedAre(0.3);
  await firstFrontEnd.kill();
  await loggedAre(0.5);
  await Promise.all([firstSequencer.restart(), firstFrontEnd.restart()]);
  await clients;
  t.diagnostic(JSON.stringify({ ...crowd.answers, slowestMs: Math.round(crowd.slowestMs) }));
  assert.ok((crowd.answers['cut'] ?? 0) > 0, 'somebody was cut off');
  assert.deepEqual(
    Object.keys(crowd.answers).filter((what) => !['201', '503', 'cut'].includes(what)),
    [],
  );

  const { entries, acknowledged } = await crowd.heldAgainst(fleet);
  assert.deepEqual([...entries].sort(), (await Promise.all(sent.map((entry) => bodyOf(entry)))).sort());
  assert.deepEqual(new Set(entries), acknowledged);
  assert.deepEqual((await fsck(fleet.store, fleet.verifier)).problems, []);
  for (const member of [...frontEnds, ...sequencers]) await member.stop();
}
