/**
 * `npm run soak -- --minutes N`: a log in a bucket of MinIO, behind a proxy that loses answers, cuts connections and stalls;
 * sequencers and a server that are killed at random; submitters and a reader all the while. Prints availability, latencies
 * from submission to publication, memory, and what an oracle finds in the log at the end. Exits with 1 where something is
 * lost or twice, a reader saw a fork, or availability is below its mark.
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
import { systemClock } from '../src/clock.ts';
import { BucketSubmitter } from '../src/queue/index.ts';
import { openReadableStore, openStore } from '../src/store/index.ts';
import { installedPrograms } from './interop/real-programs.ts';
import { MINIO_CREDENTIALS } from './interop/servers.ts';
import { follow, loggedEntries, openTestbed, Service, type Testbed, verifier } from './long/bucket-fleet.ts';

/** How long a submission may take before it counts as one that failed, in ms; it is submitted once. */
const PATIENCE_MS = 60_000;
/** One puts its items one after another; the proxy holds up some of them for seconds. */
const SUBMITTERS = 20;
const AVAILABILITY_MARK = 0.9995;
const KILL_EVERY_MS = [8_000, 20_000] as const;
const SAMPLE_EVERY_MS = 2_000;
/** How much more memory the last third may take than the one before: beyond that it grows. */
const GROWTH_MARK = 1.25;

const { minutes, sequencers, rate } = await yargs(hideBin(process.argv))
  .scriptName('npm run soak --')
  .options({
    minutes: { type: 'number', default: 10, describe: 'How long' },
    sequencers: { type: 'number', default: 2, describe: 'How many sequencers' },
    rate: { type: 'number', default: 20, describe: 'Submissions a second, of one to ten entries' },
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
  const port = await freePort();
  const fleet = Array.from({ length: sequencers }, () => new Service(bed, ['sequence', '-C', bed.folder]));
  const server = new Service(bed, ['serve', '-C', bed.folder, '--read-only', '--listen', `127.0.0.1:${port}`]);

  const over = new AbortController();
  const following = follow(bed.base, over.signal);
  following.catch(() => {});
  const background = [
    killAtRandom([...fleet, server], over.signal),
    sampleMemory(fleet, over.signal),
    readAllTheWhile(`http://127.0.0.1:${port}/checkpoint`, over.signal),
  ] as const;
  const submissions = await submitAllTheWhile(bed.queueUrl, minutes * 60_000);
  over.abort();
  const [, memory, reads] = await Promise.all(background);
  await Promise.all([...fleet, server].map((service) => service.stop()));
  const complaints = [...fleet, server].flatMap((service) => service.complaints);

  const verdict = await examine(bed, submissions.told);
  const sizes = await following.catch((error: unknown) => String(error));
  const kills = [...fleet, server].reduce((sum, service) => sum + service.kills, 0);
  const forked = typeof sizes === 'string' ? sizes : undefined;
  const availability = submissions.answered / submissions.submitted;
  const [, before = 0, last = 0] = memory;
  print({
    minutes,
    sequencers,
    kills,
    submissions: submissions.submitted,
    availability: `${(100 * availability).toFixed(3)} % of submissions published within ${PATIENCE_MS / 1_000} s`,
    ...submissions.latencies,
    reads: `${(100 * reads).toFixed(2)} % of reads from one \`stele serve\` that is killed as well`,
    memoryMiB: `${memory.map((mib) => Math.round(mib)).join(', ')} at most in each third, of any sequencer`,
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

interface Submissions {
  readonly submitted: number;
  readonly answered: number;
  /** By entry, the index. */
  readonly told: ReadonlyMap<string, number>;
  readonly latencies: Readonly<Record<'p50Ms' | 'p99Ms' | 'p999Ms', number>>;
}

/** Comes by the clock, whether answered or not; a tenth of the entries was submitted before. */
async function submitAllTheWhile(queueUrl: string, forMs: number): Promise<Submissions> {
  const submitters = await Promise.all(
    Array.from({ length: SUBMITTERS }, async () => {
      const store = await openStore(queueUrl);
      return new BucketSubmitter({ store, prefix: '' }, { clock: systemClock });
    }),
  );
  const told = new Map<string, number>();
  const latencies: number[] = [];
  const waiting = new Set<Promise<void>>();
  let [submitted, next] = [0, 0];
  const submit = async (submitter: BucketSubmitter, texts: readonly string[]): Promise<void> => {
    const began = performance.now();
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      const names = await submitter.submit(texts.map((text) => new TextEncoder().encode(text)));
      const wait = { timeoutMs: PATIENCE_MS, clock: systemClock, signal };
      const receipts = await Promise.all(names.map((name) => submitter.waitForReceipt(name, wait)));
      for (const [i, outcome] of receipts.flatMap(({ outcomes }) => outcomes).entries()) {
        const text = texts[i] ?? '';
        if (!('index' in outcome)) throw new Error(`${text} was refused: ${outcome.refused}`);
        if ((told.get(text) ?? outcome.index) !== outcome.index) told.set(`${text}, told two indices`, outcome.index);
        told.set(text, outcome.index);
      }
      latencies.push(performance.now() - began);
    } catch (error) {
      process.stderr.write(`a submission failed: ${error instanceof Error ? error.message : error}\n`);
    }
  };
  const end = performance.now() + forMs;
  while (performance.now() < end) {
    const texts = Array.from(
      { length: 1 + randomInt(10) },
      () => `entry ${randomInt(10) === 0 ? randomInt(next + 1) : next++}`,
    );
    submitted += 1;
    const submitter = submitters[submitted % SUBMITTERS] ?? submitters[0];
    if (submitter === undefined) break;
    const answer: Promise<void> = submit(submitter, [...new Set(texts)]).finally(() => waiting.delete(answer));
    waiting.add(answer);
    await sleep(1_000 / rate);
  }
  await Promise.all(waiting);
  await Promise.all(submitters.map((submitter) => submitter.close()));
  latencies.sort((a, b) => a - b);
  const at = (p: number): number => Math.round(latencies[Math.floor((latencies.length - 1) * p)] ?? Number.NaN);
  return {
    submitted,
    answered: latencies.length,
    told,
    latencies: { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) },
  };
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
