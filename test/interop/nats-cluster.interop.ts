/** A queue on three NATS servers, as docs/scaling.md has it: one may be lost at any time, and nothing is lost with it. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { systemClock } from '../../src/clock.ts';
import { isSteleError } from '../../src/errors.ts';
import { openNatsQueue, openNatsSubmitter, parseNatsUrl, type SubmissionQueue } from '../../src/queue/index.ts';
import { entriesOf } from '../../src/tiles/index.ts';
import { answersFor, MIB, text, textOf } from '../queue/queue-fixture.ts';
import { realPrograms } from './real-programs.ts';
import { type NatsServer, startNats } from './servers.ts';

const SERVERS = ['a', 'b', 'c'];
const ENTRIES = 120;
const ELECTION_MS = 30_000;
const forever = new AbortController().signal;

/** Ports that nobody has now, all different. */
async function freePorts(count: number): Promise<number[]> {
  const held: Server[] = [];
  for (let i = 0; i < count; i++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    held.push(server);
  }
  const ports = held.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(held.map((server) => once(server.close(), 'close')));
  return ports;
}

/** By the name of each server. */
async function startCluster(t: TestContext, program: string): Promise<Map<string, NatsServer>> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-nats-'));
  const servers = new Map<string, NatsServer>();
  t.after(async () => {
    for (const server of servers.values()) await server.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const ports = await freePorts(SERVERS.length);
  const routes = JSON.stringify(ports.map((port) => `nats://127.0.0.1:${port}`));
  for (const [i, name] of SERVERS.entries()) {
    const cluster = `cluster { name: log, listen: "127.0.0.1:${ports[i]}", routes: ${routes} }`;
    servers.set(name, await startNats(program, join(folder, name), [`server_name: ${name}`, cluster]));
  }
  return servers;
}

/** Asks again while it is unreachable, as a cluster is that elects a leader. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (const end = performance.now() + ELECTION_MS; ; await sleep(200)) {
    try {
      return await work();
    } catch (error) {
      if (!isSteleError(error, 'unreachable', 'outcome-unknown') || performance.now() > end) throw error;
    }
  }
}

async function openOnCluster(t: TestContext, program: string) {
  const servers = await startCluster(t, program);
  const hosts = [...servers.values()].map(({ natsUrl }) => new URL(natsUrl).host).join(',');
  const place = parseNatsUrl(`nats://${hosts}/log?replicas=3&max-bytes=67108864`);
  const queue: SubmissionQueue = await patiently(() => openNatsQueue(place, { clock: systemClock }));
  t.after(() => queue.close());
  const submitter = await openNatsSubmitter(place, systemClock);
  t.after(() => submitter.close());
  return { servers, place, queue, submitter };
}

test('of three servers the leader is lost: what was acknowledged is delivered, and answered; without two nothing is taken', async (t) => {
  const programs = realPrograms(t, 'nats-server');
  if (programs === undefined) return;
  const { servers, place, queue, submitter } = await openOnCluster(t, programs['nats-server']);
  const connection = await connect({ servers: [...place.servers], maxReconnectAttempts: -1 });
  t.after(() => connection.close());
  const jsm = await jetstreamManager(connection);
  const { config, cluster } = await jsm.streams.info('log');
  assert.equal(config.num_replicas, 3);
  const leader = servers.get(cluster?.leader ?? '');
  assert.ok(leader);

  const submitting = (async () => {
    const names: string[] = [];
    for (let i = 0; i < ENTRIES; i++) names.push(...(await patiently(() => submitter.submit([text(String(i))]))));
    return names;
  })();
  let stopped: Promise<void> | undefined;
  const stopLeader = (): void => {
    stopped ??= leader.stop();
  };
  const seen = new Map<string, number>();
  const sequencing = (async () => {
    while (seen.size < ENTRIES) {
      const items = await patiently(() => queue.receive(MIB));
      if (items.length === 0) await queue.wait(AbortSignal.timeout(1_000));
      for (const { entries } of items) {
        for (const entry of entriesOf(entries)) seen.set(textOf(entry), (seen.get(textOf(entry)) ?? 0) + 1);
      }
      if (seen.size > ENTRIES / 4) stopLeader();
      await patiently(() => queue.answer(answersFor(items)));
    }
  })();
  const names = await submitting;
  await sequencing;
  await stopped;
  assert.ok(stopped, 'the leader was stopped in the middle of it');
  assert.deepEqual(
    [...seen.keys()].map(Number).sort((a, b) => a - b),
    [...Array(ENTRIES).keys()],
  );
  const wait = { timeoutMs: 10_000, clock: systemClock, signal: forever };
  for (const name of names) assert.equal((await submitter.waitForReceipt(name, wait)).outcomes.length, 1);

  const [second] = [...servers.values()].filter((server) => server !== leader);
  await second?.stop();
  await assert.rejects(submitter.submit([text('one more')]), (error) =>
    isSteleError(error, 'unreachable', 'outcome-unknown'),
  );
});

test('who waits for a receipt has it as soon as it is written, though three servers take their time to store it', async (t) => {
  const programs = realPrograms(t, 'nats-server');
  if (programs === undefined) return;
  const { queue, submitter } = await openOnCluster(t, programs['nats-server']);
  const waitedMs: number[] = [];
  for (let i = 0; i < 40; i++) {
    const [name = ''] = await patiently(() => submitter.submit([text(`${i}`)]));
    const waiting = submitter.waitForReceipt(name, { timeoutMs: 20_000, clock: systemClock, signal: forever });
    await sleep(50); // it listens, and has found nothing
    const items = await queue.receive(MIB);
    const began = performance.now();
    await queue.answer(answersFor(items));
    await waiting;
    waitedMs.push(performance.now() - began);
  }
  const slowestMs = Math.max(...waitedMs);
  t.diagnostic(`the slowest of ${waitedMs.length} came after ${slowestMs.toFixed(1)} ms`);
  assert.ok(slowestMs < 2_000, 'it looks every five seconds');
});
