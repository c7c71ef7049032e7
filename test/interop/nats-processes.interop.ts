/**
 * Front ends, a NATS server and two `stele sequence` on one bucket, each a process of its own: a sequencer and a front end
 * are killed, the server is restarted, and every acknowledged entry is in the log, once.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createLog, generateKey } from 'stele';
import { fsck, LogReader } from '../../src/client/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { parseNatsUrl, readNatsState } from '../../src/queue/index.ts';
import { allowPublicRead, ensureBucket, openReadableStore, publicUrl } from '../../src/store/index.ts';
import { type Running, start as startStele } from '../cli/run-stele.ts';
import { realPrograms } from './real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio, startNats } from './servers.ts';

const ENTRIES = 12_000;
const FRONT_ENDS = 4;
const PER_ITEM = 60;
/** Entries of an item that its predecessor, often another front end's, has as well. */
const OVERLAP = 7;
const PAUSE_MS = 80;
/** Short, so that what a killed sequencer had is soon with the other one. In ns. */
const ACK_WAIT = 3e9;

const { skey, vkey } = generateKey('log.example/nats', createHash('sha256').update('nats').digest());
const verifier = parseVerifierKey(vkey);
const SUBMITTER = fileURLToPath(new URL('../long/queue-submitter.ts', import.meta.url));
const source = { NODE_OPTIONS: '--conditions=source' };

interface FrontEnd {
  readonly process: ChildProcess;
  /** Lines that were written whole. */
  lines(): string[];
  readonly ended: Promise<number | null>;
  said(): string;
}

function frontEnd(t: TestContext, url: string, from: number, to: number): FrontEnd {
  const numbers = [from, to, PER_ITEM, OVERLAP, PAUSE_MS].map(String);
  const child = spawn(process.execPath, [SUBMITTER, url, ...numbers], {
    env: { ...process.env, ...source },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  return {
    process: child,
    lines: () => stdout.split('\n').slice(0, -1),
    ended: once(child, 'close').then(([status]) => status as number | null),
    said: () => stderr,
  };
}

test('a front end, a sequencer killed, the broker restarted: what was acknowledged is logged once (CRASH, FAULT)', async (t) => {
  const programs = realPrograms(t, 'minio', 'nats-server');
  if (programs === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'stele-nats-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  setEnvironment(t, MINIO_CREDENTIALS);
  await using minio = await startMinio(programs.minio, join(folder, 'minio'));
  const natsFolder = join(folder, 'nats');
  const nats = await startNats(programs['nats-server'], natsFolder);
  let stopNats = nats.stop;
  t.after(() => stopNats());

  const { host } = new URL(minio.url);
  const stores = { publicStore: `minio://${host}/public/log`, privateStore: `minio://${host}/private/log` };
  for (const url of Object.values(stores)) await ensureBucket(url);
  await allowPublicRead(stores.publicStore);
  await (await createLog({ ...stores, key: skey })).close();
  const queue = `${nats.natsUrl}/log?replicas=1&max-bytes=67108864`;
  const yaml = [
    'origin: log.example/nats',
    `vkey: ${vkey}`,
    'key: key',
    `stores: { public: '${stores.publicStore}', private: '${stores.privateStore}' }`,
    `queue: { url: '${queue}' }`,
    'publish: { interval: 200ms }',
  ];
  await writeFile(join(folder, 'stele.yaml'), `${yaml.join('\n')}\n`);
  await writeFile(join(folder, 'key'), `${skey}\n`, { mode: 0o600 });

  const sequencer = (): Running => {
    const running = startStele(['sequence', '-C', folder], { env: source });
    t.after(() => running.child.kill('SIGKILL'));
    return running;
  };
  const [one, two] = [sequencer(), sequencer()];
  await Promise.all([one, two].map((running) => running.said(/sequencing log\.example\/nats/)));
  const connection = await connect({ servers: [...parseNatsUrl(queue).servers], maxReconnectAttempts: -1 });
  t.after(() => connection.close());
  const jsm = await jetstreamManager(connection);
  await jsm.consumers.update('log', 'sequencers', { ack_wait: ACK_WAIT });

  const share = ENTRIES / FRONT_ENDS;
  const frontEnds = Array.from({ length: FRONT_ENDS }, (_, i) => frontEnd(t, queue, i * share, (i + 1) * share));
  const url = await publicUrl(stores.publicStore);
  const reader = new LogReader(openReadableStore(url), verifier);
  const sizeIs = async (least: number): Promise<void> => {
    while ((await reader.checkpoint()).size < least) await sleep(50);
  };

  await sizeIs(1_000);
  await jetstream(connection).publish('log.new', 'no submission');
  one.child.kill('SIGKILL');
  const [killed] = frontEnds;
  assert.ok(killed);
  killed.process.kill('SIGKILL');
  await sleep(500);
  await stopNats();
  await sleep(1_500);
  stopNats = (await startNats(programs['nats-server'], natsFolder, [], nats.natsUrl)).stop;
  const third = sequencer();
  // Whoever had submitted by the killed front end submits again by another one: all of it.
  const resubmitting = frontEnd(t, queue, 0, share);
  for (const front of [...frontEnds.slice(1), resubmitting]) assert.equal(await front.ended, 0, front.said());

  while (((await readNatsState(parseNatsUrl(queue)))?.waiting ?? 1) > 0) await sleep(100);
  // By the command, which verifies what it is told in the public log.
  const added = startStele(['add', '--queue', queue, '--wait', '--log', url, '--vkey', vkey, '--lines', '-'], {
    env: source,
    input: 'entry 5\none more\n',
  });
  const ran = await added.ended;
  assert.equal(ran.status, 0, ran.stderr);

  const checkpoint = await reader.checkpoint();
  assert.equal(checkpoint.size, ENTRIES + 1, 'none lost, none twice');
  const logged = new Map<string, number>();
  for await (const { index, entry } of reader.entries(0, checkpoint.size, checkpoint)) {
    const text = new TextDecoder().decode(entry);
    assert.ok(!logged.has(text), `${text} is logged once`);
    logged.set(text, index);
  }
  assert.equal(ran.stdout, `${logged.get('entry 5')}\n${logged.get('one more')}\n`);
  let told = 0;
  for (const line of [...frontEnds, resubmitting].flatMap((front) => front.lines())) {
    const [, first = '', count = ''] = /^stored (\d+) (\d+)$/.exec(line) ?? [];
    if (first !== '') {
      for (let i = 0; i < Number(count); i++) assert.ok(logged.has(`entry ${Number(first) + i}`), line);
      continue;
    }
    const [from = 0, ...indices] = line.split(' ').map(Number);
    for (const [i, index] of indices.entries()) assert.equal(index, logged.get(`entry ${from + i}`), line);
    told += indices.length;
  }
  assert.ok(told >= ENTRIES);
  assert.deepEqual((await fsck(openReadableStore(url), verifier)).problems, []);

  const doctor = await startStele(['doctor', folder, '--json'], { env: source }).ended;
  const { findings } = JSON.parse(doctor.stdout) as { findings: { check: string; verdict: string; seen: string }[] };
  const seen = findings.find(({ check }) => check === 'queue');
  assert.deepEqual([seen?.verdict, seen?.seen], ['warning', '1 messages were set aside'], JSON.stringify(seen));

  for (const running of [two, third]) {
    running.child.kill('SIGTERM');
    const { status, stderr } = await running.ended;
    assert.equal(status, 0, stderr);
  }
  const { delivered } = await jsm.consumers.info('log', 'sequencers');
  const again = delivered.consumer_seq - delivered.stream_seq;
  assert.ok(again > 0, 'what the killed sequencer had was delivered once more');
  t.diagnostic(JSON.stringify({ told, messages: delivered.stream_seq, redelivered: again }));
});
