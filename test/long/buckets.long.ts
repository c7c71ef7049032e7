/**
 * Several `stele sequence` on one bucket of a real server: answers are cut, sequencers killed, and there is one history.
 * STELE_ENTRIES=… makes it shorter.
 */

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createLog, generateKey } from 'stele';
import { fsck, LogReader } from '../../src/client/index.ts';
import { parseVerifierKey, type Verifier } from '../../src/note/index.ts';
import { allowPublicRead, ensureBucket, openReadableStore, openStore, publicUrl } from '../../src/store/index.ts';
import { realPrograms, runProgram } from '../interop/real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio, startToxiproxy } from '../interop/servers.ts';

const ENTRIES = Number(process.env['STELE_ENTRIES'] ?? 100_000);
const SUBMITTERS = 4;
const PER_ITEM = 250;
/** Entries of an item that its predecessor, often another submitter's, has as well. */
const OVERLAP = 25;
/** Of all answers; half of them vanish, the others end with a reset. */
const CUT = 0.02;
const KILL_EVERY_MS = [1_500, 3_500] as const;
/** A sequencer that stands still for so long finds that others went on, collected what it was about to create, and so on. */
const PAUSE_MS = 2_000;
const FSCK_LIMIT_MS = 60_000;

const { skey, vkey } = generateKey('log.example/buckets', createHash('sha256').update('buckets').digest());
const verifier = parseVerifierKey(vkey);
const script = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const LAUNCHER = script('../../bin/stele.js');

interface Place {
  readonly folder: string;
  /** Where the children reach the server: through the proxy. */
  readonly host: string;
  readonly prefix: string;
}

function child({ folder }: Place, args: readonly string[]): ChildProcess {
  const preload = pathToFileURL(script('one-answer-a-connection.ts')).href;
  const env = { ...process.env, NODE_OPTIONS: `--conditions=source --import=${preload}`, STELE_COUNTS: folder };
  return spawn(process.execPath, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A sequencer that is started again whenever it ends, as a service would be, until it is told to stop. */
class Service {
  kills = 0;
  pauses = 0;
  readonly complaints: string[] = [];
  /** How often it ended by itself, to be started again. */
  restarts = 0;
  readonly #place: Place;
  #running: ChildProcess | undefined;
  #stopping = false;
  readonly #ended: Promise<void>;

  constructor(place: Place) {
    this.#place = place;
    this.#ended = this.#run();
  }

  kill(): void {
    if (this.#running?.kill('SIGKILL')) this.kills += 1;
  }

  /** Wherever it is in what it does. */
  async pause(): Promise<void> {
    const paused = this.#running;
    if (!paused?.kill('SIGSTOP')) return;
    this.pauses += 1;
    await sleep(PAUSE_MS);
    paused.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#running?.kill('SIGTERM');
    await this.#ended;
  }

  async #run(): Promise<void> {
    const flags = ['--publish.interval', '200ms', '--queue.poll', '250ms', '--batch.entries', '512'];
    while (!this.#stopping) {
      this.#running = child(this.#place, [LAUNCHER, 'sequence', '-C', this.#place.folder, ...flags]);
      let stderr = '';
      this.#running.stderr?.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      this.#running.stdout?.resume();
      const [status, signal] = await once(this.#running, 'close');
      // 3: try again later, which is what a service does. While it starts nothing keeps SIGTERM from ending it.
      const good = signal === null ? status === 0 || status === 3 : signal === 'SIGKILL' || this.#stopping;
      if (!good) this.complaints.push(`${status ?? signal}: ${stderr}`);
      if (status === 3) this.restarts += 1;
      if (!this.#stopping) await sleep(100);
    }
  }
}

/** What a submitter was told: by entry, the index. */
async function submitAll(place: Place, from: number, to: number): Promise<Map<number, number>> {
  const url = `minio://${place.host}/private/${place.prefix}/queue`;
  const numbers = [from, to, PER_ITEM, OVERLAP].map(String);
  const submitter = child(place, [script('bucket-submitter.ts'), url, ...numbers]);
  let [stdout, stderr] = ['', ''];
  submitter.stdout?.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  submitter.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const [status] = await once(submitter, 'close');
  assert.equal(status, 0, stderr);
  const told = new Map<number, number>();
  for (const line of stdout.trimEnd().split('\n')) {
    const [first = 0, ...indices] = line.split(' ').map(Number);
    for (const [i, index] of indices.entries()) {
      const before = told.get(first + i) ?? index;
      assert.equal(index, before, `entry ${first + i} has one index, whoever answers`);
      told.set(first + i, index);
    }
  }
  return told;
}

/** Follows the log as a reader does, which refuses one that goes back or forks. Resolves to the sizes that were seen. */
async function follow(url: string, key: Verifier, until: AbortSignal): Promise<number[]> {
  const reader = new LogReader(openReadableStore(url), key);
  const sizes: number[] = [];
  while (!until.aborted) {
    const { size } = await reader.checkpoint();
    if (size !== sizes.at(-1)) sizes.push(size);
    await sleep(100);
  }
  return sizes;
}

async function counted(folder: string, name: string): Promise<number> {
  return (await stat(join(folder, name)).catch(() => ({ size: 0 }))).size;
}

async function run(t: TestContext, sequencers: number): Promise<void> {
  const programs = realPrograms(t, 'minio', 'toxiproxy-server', 'fsck');
  if (programs === undefined) return;
  const folder = await mkdtemp(join(tmpdir(), 'stele-buckets-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  setEnvironment(t, MINIO_CREDENTIALS);
  await using server = await startMinio(programs.minio, join(folder, 'minio'));
  await using proxy = await startToxiproxy(programs['toxiproxy-server']);
  const { host } = new URL(server.url);
  const stores = { publicStore: `minio://${host}/public/log`, privateStore: `minio://${host}/private/log` };
  for (const url of Object.values(stores)) await ensureBucket(url);
  await allowPublicRead(stores.publicStore);
  await (await createLog({ ...stores, key: skey })).close();

  const place: Place = { folder, host: `127.0.0.1:${await proxy.proxy('s3', server.url)}`, prefix: 'log' };
  const yaml = [
    'origin: log.example/buckets',
    `vkey: ${vkey}`,
    'key: key',
    `stores: { public: 'minio://${place.host}/public/log', private: 'minio://${place.host}/private/log' }`,
  ];
  await writeFile(join(folder, 'stele.yaml'), `${yaml.join('\n')}\n`);
  await writeFile(join(folder, 'key'), `${skey}\n`, { mode: 0o600 });
  const cut = { stream: 'downstream', toxicity: CUT / 2 } as const;
  await proxy.toxic('s3', 'vanish', { ...cut, type: 'limit_data', attributes: { bytes: 0 } });
  await proxy.toxic('s3', 'reset', { ...cut, type: 'reset_peer', attributes: { timeout: 30 } });

  const began = performance.now();
  const services = Array.from({ length: sequencers }, () => new Service(place));
  const done = new AbortController();
  const base = await publicUrl(stores.publicStore);
  const following = follow(base, verifier, done.signal);
  following.catch(() => {});
  const killing = (async () => {
    for (;;) {
      await sleep(randomInt(...KILL_EVERY_MS), undefined, { signal: done.signal }).catch(() => {});
      if (done.signal.aborted) return;
      services[randomInt(sequencers)]?.kill();
      await services[randomInt(sequencers)]?.pause();
    }
  })();
  let told: Map<number, number>[];
  try {
    const share = Math.ceil(ENTRIES / SUBMITTERS);
    told = await Promise.all(
      Array.from({ length: SUBMITTERS }, (_, i) => submitAll(place, i * share, Math.min(ENTRIES, (i + 1) * share))),
    );
  } finally {
    done.abort();
    await killing;
    await Promise.all(services.map((service) => service.stop()));
  }
  const seconds = (performance.now() - began) / 1_000;
  const sizes = await following;
  assert.deepEqual(
    services.flatMap(({ complaints }) => complaints),
    [],
  );

  const reader = new LogReader(openReadableStore(base), verifier);
  const checkpoint = await reader.checkpoint();
  assert.equal(checkpoint.size, ENTRIES, 'none lost, none twice');
  const logged = new Map<string, number>();
  for await (const { index, entry } of reader.entries(0, checkpoint.size, checkpoint)) {
    const text = new TextDecoder().decode(entry);
    assert.ok(!logged.has(text), `${text} is logged once`);
    logged.set(text, index);
  }
  for (let i = 0; i < ENTRIES; i++) assert.ok(logged.has(`entry ${i}`), `entry ${i} is logged`);
  for (const answers of told) {
    for (const [entry, index] of answers)
      assert.equal(index, logged.get(`entry ${entry}`), `what entry ${entry} was told`);
  }
  const report = await fsck(openReadableStore(base), verifier);
  assert.deepEqual(report.problems, []);
  await writeFile(join(folder, 'vkey'), vkey);
  const args = [`--storage_url=${base}`, `--public_key=${join(folder, 'vkey')}`, '--ui=false', '--N=2'];
  const { stderr } = await runProgram(programs.fsck, args, FSCK_LIMIT_MS);
  assert.match(stderr, new RegExp(`Successfully fsck'd log with size ${ENTRIES} `), stderr.slice(0, 2_000));

  const privateStore = await openStore(stores.privateStore);
  const left = { new: 0, journal: 0 };
  for await (const _ of privateStore.list('queue/new/')) left.new += 1;
  for await (const _ of privateStore.list('journal/')) left.journal += 1;
  await privateStore.close();
  assert.equal(left.new, 0, 'every item left the queue');

  const total = (count: 'kills' | 'pauses' | 'restarts'): number =>
    services.reduce((sum, service) => sum + service[count], 0);
  const [kills, pauses, restarts] = [total('kills'), total('pauses'), total('restarts')];
  assert.ok(kills > 0, 'a sequencer was killed');
  const figures = {
    entries: ENTRIES,
    sequencers,
    kills,
    pauses,
    restarts,
    requests: await counted(folder, 'requests'),
    cutAnswers: await counted(folder, 'cut'),
    commits: await counted(folder, 'commits'),
    publications: await counted(folder, 'publications'),
    checkpointsSeen: sizes.length,
    journalLeft: left.journal,
    seconds: Math.round(seconds),
  };
  assert.ok(figures.cutAnswers > 0, 'answers were cut');
  t.diagnostic(JSON.stringify(figures));
}

for (const sequencers of [2, 4]) {
  test(`${sequencers} sequencers on one bucket, killed and cut off, log ${ENTRIES} entries once`, (t) =>
    run(t, sequencers));
}
