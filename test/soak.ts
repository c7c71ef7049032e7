/**
 * `npm run soak -- --minutes N`: a log in a bucket of MinIO, behind a proxy that loses answers, cuts connections and stalls;
 * front ends that take signed entries over REST, and sequencers, all of them killed at random; clients and a reader all the
 * while. Prints availability, latencies from submission to publication, memory, and what an oracle finds in the log at the
 * end. Exits with 1 where something is lost or twice, a reader saw a fork, or availability is below its mark.
 */

import { randomInt } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { freePort } from '../examples/shared/servers.ts';
import { fsck } from '../src/client/index.ts';
import { openReadableStore } from '../src/store/index.ts';
import { installedPrograms } from './interop/real-programs.ts';
import { MINIO_CREDENTIALS } from './interop/servers.ts';
import { follow, loggedEntries, openTestbed, Service, type Testbed, verifier } from './long/bucket-fleet.ts';
import { PATIENCE_MS, submitAllTheWhile } from './long/clients.ts';

const AVAILABILITY_MARK = 0.9995;
const KILL_EVERY_MS = [8_000, 20_000] as const;
const SAMPLE_EVERY_MS = 2_000;
/** How much more memory the last third may take than the one before: beyond that it grows. */
const GROWTH_MARK = 1.25;

const { minutes, sequencers, frontends, rate } = await yargs(hideBin(process.argv))
  .scriptName('npm run soak --')
  .options({
    minutes: { type: 'number', default: 10, describe: 'How long' },
    sequencers: { type: 'number', default: 2, describe: 'How many sequencers' },
    frontends: { type: 'number', default: 2, describe: 'How many front ends' },
    rate: { type: 'number', default: 50, describe: 'Submissions a second' },
  })
  .strict()
  .version(false)
  .parseAsync();

Object.assign(process.env, MINIO_CREDENTIALS);
const programs = installedPrograms('minio', 'toxiproxy-server');
const folder = await mkdtemp(join(tmpdir(), 'stele-soak-'));
try {
  await using bed = await openTestbed(folder, programs);
  if (!(await soak(bed))) process.exitCode = 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function soak(bed: Testbed): Promise<boolean> {
  await bed.misbehave('vanish', toxic('limit_data', 0.02, { bytes: 0 }));
  await bed.misbehave('reset', toxic('reset_peer', 0.02, { timeout: 20 }));
  await bed.misbehave('half', toxic('limit_data', 0.01, { bytes: 150 }));
  await bed.misbehave('stall', toxic('latency', 0.02, { latency: 1_500, jitter: 1_000 }));
  const ports = await Promise.all(Array.from({ length: frontends }, () => freePort()));
  const fronts = ports.map((port) => `http://127.0.0.1:${port}/`);
  const services = [
    ...Array.from({ length: sequencers }, () => new Service(bed, ['sequence', '-C', bed.folder])),
    ...ports.map((port) => {
      return new Service(bed, ['serve', '-C', bed.folder, '--no-sequencer', '--listen', `127.0.0.1:${port}`]);
    }),
  ];

  const over = new AbortController();
  const following = follow(bed.base, over.signal);
  following.catch(() => {});
  const background = [
    killAtRandom(services, over.signal),
    sampleMemory(services, over.signal),
    readAllTheWhile(`${fronts[0]}checkpoint`, over.signal),
  ] as const;
  const submissions = await submitAllTheWhile(fronts, verifier, { forMs: minutes * 60_000, rate });
  over.abort();
  const [, memory, reads] = await Promise.all(background);
  await Promise.all(services.map((service) => service.stop()));
  const complaints = services.flatMap((service) => service.complaints);

  const verdict = [...submissions.wrong, ...(await examine(bed, submissions.told))];
  const sizes = await following.catch((error: unknown) => String(error));
  const kills = services.reduce((sum, service) => sum + service.kills, 0);
  const forked = typeof sizes === 'string' ? sizes : undefined;
  const availability = submissions.answered / submissions.submitted;
  const [, before = 0, last = 0] = memory;
  print({
    minutes,
    sequencers,
    frontends,
    kills,
    submissions: submissions.submitted,
    availability: `${(100 * availability).toFixed(3)} % of submissions published within ${PATIENCE_MS / 1_000} s`,
    ...submissions.latencies,
    requests: `${submissions.requests} for them: a front end that was killed, cut off or busy is left for another`,
    reads: `${(100 * reads).toFixed(2)} % of reads from one front end alone`,
    memoryMiB: `${memory.map((mib) => Math.round(mib)).join(', ')} at most in each third, of any process`,
    checkpointsSeen: typeof sizes === 'string' ? 0 : sizes.length,
    oracle: forked ?? (verdict.length === 0 ? 'nothing lost, nothing twice, one history' : verdict.join('; ')),
    unexpectedEnds: complaints.length === 0 ? 'none' : complaints.join('\n'),
  });
  return (
    forked === undefined &&
    verdict.length === 0 &&
    complaints.length === 0 &&
    availability >= AVAILABILITY_MARK &&
    last <= before * GROWTH_MARK
  );
}

function toxic(type: string, toxicity: number, attributes: Readonly<Record<string, number>>) {
  return { type, toxicity, attributes, stream: 'downstream' } as const;
}

async function killAtRandom(services: readonly Service[], signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(randomInt(...KILL_EVERY_MS), undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    services[randomInt(services.length)]?.kill();
  }
}

/** The most resident memory of any sequencer, in MiB, in each third of the time. */
async function sampleMemory(services: readonly Service[], signal: AbortSignal): Promise<number[]> {
  const samples: number[] = [];
  while (!signal.aborted) {
    const each = await Promise.all(services.map(({ pid }) => residentMib(pid)));
    samples.push(Math.max(...each));
    await sleep(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => {});
  }
  const third = Math.ceil(samples.length / 3);
  return [0, 1, 2].map((i) => Math.max(0, ...samples.slice(i * third, (i + 1) * third)));
}

async function residentMib(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1_024;
}

/** The share of reads that were answered. */
async function readAllTheWhile(url: string, signal: AbortSignal): Promise<number> {
  let [asked, answered] = [0, 0];
  while (!signal.aborted) {
    asked += 1;
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) }).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) answered += 1;
    await sleep(250);
  }
  return answered / asked;
}

/** What is wrong with the log; nothing, it is hoped. */
async function examine(bed: Testbed, told: ReadonlyMap<string, number>): Promise<string[]> {
  const problems: string[] = [];
  const report = await fsck(openReadableStore(bed.base), verifier);
  problems.push(...report.problems.map(({ key, problem }) => `${key}: ${problem}`));
  const logged = await loggedEntries(bed.base).catch((error: Error) => {
    problems.push(error.message);
    return new Map<string, number>();
  });
  for (const [text, index] of told) {
    if (logged.get(text) !== index) problems.push(`${text} was told ${index}, and is at ${logged.get(text)}`);
  }
  return problems;
}

function print(figures: Readonly<Record<string, number | string>>): void {
  const width = Math.max(...Object.keys(figures).map((name) => name.length));
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(width)}  ${value}\n`);
}
