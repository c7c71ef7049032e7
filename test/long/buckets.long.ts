/**
 * Several `stele sequence` on one bucket of a real server: answers are cut, sequencers killed, and there is one history.
 * STELE_ENTRIES=… makes it shorter.
 */

import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fsck } from '../../src/client/index.ts';
import { openReadableStore, openStore } from '../../src/store/index.ts';
import { realPrograms, runProgram } from '../interop/real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment } from '../interop/servers.ts';
import { child, follow, loggedEntries, openTestbed, Service, script, type Testbed, verifier } from './bucket-fleet.ts';

const ENTRIES = Number(process.env['STELE_ENTRIES'] ?? 100_000);
const SUBMITTERS = 4;
const PER_ITEM = 250;
/** Entries of an item that its predecessor, often another submitter's, has as well. */
const OVERLAP = 25;
/** Of all answers; half of them vanish, the others end with a reset. */
const CUT = 0.02;
const KILL_EVERY_MS = [1_500, 3_500] as const;
const FSCK_LIMIT_MS = 60_000;
/** Cadences of a log that is in a hurry, so that much happens in a minute. */
const HURRY = ['--publish.interval', '200ms', '--queue.poll', '250ms', '--batch.entries', '512'];

/** What a submitter was told: by entry, the index. */
async function submitAll(bed: Testbed, from: number, to: number): Promise<Map<number, number>> {
  const numbers = [from, to, PER_ITEM, OVERLAP].map(String);
  const submitter = child(bed, [script('queue-submitter.ts'), bed.queueUrl, ...numbers]);
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
    if (line.startsWith('stored ')) continue;
    const [first = 0, ...indices] = line.split(' ').map(Number);
    for (const [i, index] of indices.entries()) {
      const before = told.get(first + i) ?? index;
      assert.equal(index, before, `entry ${first + i} has one index, whoever answers`);
      told.set(first + i, index);
    }
  }
  return told;
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
  await using bed = await openTestbed(folder, programs);
  const { base } = bed;
  const cut = { stream: 'downstream', toxicity: CUT / 2 } as const;
  await bed.misbehave('vanish', { ...cut, type: 'limit_data', attributes: { bytes: 0 } });
  await bed.misbehave('reset', { ...cut, type: 'reset_peer', attributes: { timeout: 30 } });

  const began = performance.now();
  const services = Array.from({ length: sequencers }, () => new Service(bed, ['sequence', '-C', folder, ...HURRY]));
  const done = new AbortController();
  const following = follow(base, done.signal);
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
      Array.from({ length: SUBMITTERS }, (_, i) => submitAll(bed, i * share, Math.min(ENTRIES, (i + 1) * share))),
    );
  } finally {
    done.abort();
    await killing;
    await Promise.all(services.map((service) => service.stop()));
  }
  const seconds = (performance.now() - began) / 1_000;
  const sizes = await following;
  const complaints = services.flatMap((service) => service.complaints);
  assert.deepEqual(complaints, []);

  const logged = await loggedEntries(base);
  assert.equal(logged.size, ENTRIES, 'none lost, none twice');
  for (let i = 0; i < ENTRIES; i++) assert.ok(logged.has(`entry ${i}`), `entry ${i} is logged`);
  for (const answers of told) {
    for (const [entry, index] of answers)
      assert.equal(index, logged.get(`entry ${entry}`), `what entry ${entry} was told`);
  }
  const report = await fsck(openReadableStore(base), verifier);
  assert.deepEqual(report.problems, []);
  await writeFile(join(folder, 'vkey'), verifier.vkey);
  const args = [`--storage_url=${base}`, `--public_key=${join(folder, 'vkey')}`, '--ui=false', '--N=2'];
  const { stderr } = await runProgram(programs.fsck, args, FSCK_LIMIT_MS);
  assert.match(stderr, new RegExp(`Successfully fsck'd log with size ${ENTRIES} `), stderr.slice(0, 2_000));

  const privateStore = await openStore(bed.stores.privateStore);
  const left = { new: 0, journal: 0 };
  for await (const _ of privateStore.list('queue/new/')) left.new += 1;
  for await (const _ of privateStore.list('journal/')) left.journal += 1;
  await privateStore.close();
  assert.equal(left.new, 0, 'every item left the queue');

  const total = (count: 'kills' | 'pauses' | 'restarts'): number =>
    services.reduce((sum, service) => sum + service[count], 0);
  const figures = {
    entries: ENTRIES,
    sequencers,
    kills: total('kills'),
    pauses: total('pauses'),
    restarts: total('restarts'),
    requests: await counted(folder, 'requests'),
    cutAnswers: await counted(folder, 'cut'),
    commits: await counted(folder, 'commits'),
    publications: await counted(folder, 'publications'),
    checkpointsSeen: sizes.length,
    journalLeft: left.journal,
    seconds: Math.round(seconds),
  };
  assert.ok(figures.kills > 0, 'a sequencer was killed');
  assert.ok(figures.cutAnswers > 0, 'answers were cut');
  t.diagnostic(JSON.stringify(figures));
}

for (const sequencers of [2, 4]) {
  test(`${sequencers} sequencers on one bucket, killed and cut off, log ${ENTRIES} entries once (RACE-2, STORE-10, CRASH-4)`, (t) =>
    run(t, sequencers));
}
