/**
 * Entries over HTTP: `POST /api/v2/log/entries`, where each is a hashedrekord of its own whose ECDSA signature the server
 * checks, and each 201 comes after a durable published checkpoint. Clients wait for an answer before they send the next
 * entry, so that few of them measure latency, and many of them throughput. The Rekor v2 server gets the very same requests
 * in the same run, level by level in turn; both answer at the end of a publication, so their intervals show in all that
 * is not bound by the processor.
 */

import { execFile, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CommandModule } from 'yargs';
import { DIRECTORY_SETTINGS } from '../src/sequencer/index.ts';
import { installedPrograms } from '../test/interop/real-programs.ts';
import { median, percentile, readable } from './figures.ts';
import type { Order, Run, RunResult } from './post-load.ts';
import { type MeasuredServer, startMeasured, startRekor } from './rekor-server.ts';
import { withScratch } from './scratch.ts';

const LAUNCHER = join(import.meta.dirname, '..', 'bin', 'stele.js');
const LOAD = join(import.meta.dirname, 'post-load.ts');

const WARM_UP_MS = 1_000;
/** Most time for a check of the whole log. */
const FSCK_LIMIT_MS = 15 * 60_000;

interface PostOptions {
  readonly levels: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  readonly rekor: boolean | undefined;
  readonly interval: number;
  readonly rekorInterval: number;
  readonly most: number;
  readonly dir: string | undefined;
  readonly json: boolean;
}

/** One level on one server: of a run, or of all rounds the medians, and of `maxMs` the largest. */
interface Figures {
  /** Those answered with 201. */
  readonly entriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly serverCpuMicrosPerEntry: number;
  /** Of one core. */
  readonly loadCpuPercent: number;
  /** Answers other than 201, by status; of all rounds. */
  readonly others: Readonly<Record<string, number>>;
}

interface Level {
  readonly clients: number;
  readonly stele: Figures;
  readonly rekor?: Figures;
  /** Stele's by Rekor's. */
  readonly ratios?: Readonly<Record<'entriesPerSecond' | 'p50Ms' | 'p99Ms', number>>;
}

export const postCommand: CommandModule<object, PostOptions> = {
  command: 'post',
  describe:
    'Entries with signatures over HTTP, by number of clients: throughput and latency, beside the Rekor v2 server',
  builder: {
    levels: { type: 'string', default: '1,16,256,2000', coerce: parseLevels, describe: 'Numbers of clients at a time' },
    seconds: { type: 'number', default: 5, describe: 'Measured seconds of each level, after one that is not' },
    rounds: { type: 'number', default: 3, describe: 'Rounds of all levels, of which medians are taken' },
    rekor: { type: 'boolean', describe: 'Rekor v2 in turn; default: where .ci/install-servers has put rekor-server' },
    interval: {
      type: 'number',
      default: DIRECTORY_SETTINGS.publishIntervalMs,
      describe: "Stele's publish.interval in ms; default: that of any folder",
    },
    'rekor-interval': { type: 'number', default: 1_000, describe: "Rekor's --checkpoint-interval in ms" },
    most: { type: 'number', default: 8_000, describe: 'Requests a second that are signed in advance' },
    dir: { type: 'string', describe: "Folder to write below; default: the system's temporary folder" },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
  },
  async handler(options) {
    const program = rekorProgram(options.rekor);
    // So that servers end, too, when this is interrupted.
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1));
    await withScratch(options.dir, async (scratch) => {
      const { levels, sizes } = await scratch.run((folder) => measure(options, program, folder));
      print(options, levels, sizes);
    });
  },
};

function parseLevels(text: string): number[] {
  const levels = text.split(',').map(Number);
  if (levels.every((level) => Number.isSafeInteger(level) && level > 0)) return levels;
  throw new Error(`--levels takes numbers of clients, such as 1,16,256: ${text}`);
}

/** Undefined where Rekor is not wanted, or not there and not asked for. */
function rekorProgram(wanted: boolean | undefined): string | undefined {
  if (wanted === false) return undefined;
  try {
    return installedPrograms('rekor-server')['rekor-server'];
  } catch (error) {
    if (wanted) throw error;
    process.stderr.write(`without Rekor: ${error instanceof Error ? error.message : error}\n`);
    return undefined;
  }
}

/** One of those compared, and what became of all that it was sent. */
class Contender {
  readonly name: string;
  readonly server: MeasuredServer;
  readonly #figures = new Map<number, Figures[]>();
  readonly #indexes = new Set<number>();
  #unsettled = 0;

  constructor(name: string, server: MeasuredServer) {
    this.name = name;
    this.server = server;
  }

  /** Throws where two requests got one index: no request was sent twice once it had a 201. */
  add(clients: number, result: RunResult, seconds: number): Figures {
    for (const index of result.indexes) {
      if (this.#indexes.has(index)) throw new Error(`${this.name} gave two entries the index ${index}.`);
      this.#indexes.add(index);
    }
    this.#unsettled += result.unsettled;
    const figures = figuresOf(result, clients, seconds);
    this.#figures.set(clients, [...(this.#figures.get(clients) ?? []), figures]);
    return figures;
  }

  level(clients: number): Figures {
    return medians(this.#figures.get(clients) ?? []);
  }

  /** Throws where the log has fewer entries than were answered, or more than were sent. */
  async checkSize(): Promise<number> {
    const size = await this.server.treeSize();
    const answered = this.#indexes.size;
    const last = [...this.#indexes].reduce((largest, index) => Math.max(largest, index), -1);
    if (size < answered || size > answered + this.#unsettled || last >= size) {
      const sent = `${answered} were answered with 201, the last with index ${last}, and ${this.#unsettled} otherwise`;
      throw new Error(`The log of ${this.name} has ${size} entries: ${sent}.`);
    }
    return size;
  }
}

/** Starts the servers, puts them under load, stops them, and checks their logs. */
async function measure(
  options: PostOptions,
  program: string | undefined,
  folder: string,
): Promise<{ levels: Level[]; sizes: Record<string, number> }> {
  const contenders: Contender[] = [];
  try {
    contenders.push(new Contender('Stele', await startStele(join(folder, 'stele'), options.interval)));
    if (program !== undefined) {
      contenders.push(new Contender('Rekor', await startRekor(program, join(folder, 'rekor'), options.rekorInterval)));
    }
    await using load = new Load();
    for (let round = 1; round <= options.rounds; round++) await runRound(options, load, contenders, round);
  } finally {
    for (const { server } of contenders) await server.stop();
  }
  const sizes: Record<string, number> = {};
  for (const contender of contenders) sizes[contender.name] = await contender.checkSize();
  return { levels: options.levels.map((clients) => levelOf(clients, contenders)), sizes };
}

async function runRound(
  { levels, seconds, most }: PostOptions,
  load: Load,
  contenders: readonly Contender[],
  round: number,
): Promise<void> {
  const run = { warmUpMs: WARM_UP_MS, measuredMs: seconds * 1_000 };
  for (const clients of levels) {
    await load.prepare(Math.ceil(most * (seconds + WARM_UP_MS / 1_000)) + clients);
    for (const contender of contenders) {
      const { port, pid } = contender.server;
      const figures = contender.add(clients, await load.run({ ...run, clients, port, pid }), seconds);
      const told = `${readable(figures.entriesPerSecond)}/s, p50 ${readable(figures.p50Ms)} ms`;
      process.stderr.write(`round ${round}, ${clients} clients, ${contender.name}: ${told}\n`);
    }
  }
}

/** A log as `stele init` makes it, and the server that is its sequencer; every entry is read again at the end. */
async function startStele(folder: string, intervalMs: number): Promise<MeasuredServer> {
  await stele(['init', folder, '--origin', 'bench.example/post']);
  const flags = ['--log-level', 'warn', '--publish.interval', `${intervalMs}ms`];
  return startMeasured(
    async (port) =>
      spawn(process.execPath, [LAUNCHER, 'serve', '-C', folder, '--listen', `127.0.0.1:${port}`, ...flags], {
        stdio: ['ignore', 'ignore', 'pipe'],
      }),
    async () => (JSON.parse(await stele(['fsck', folder, '--json'])) as { size: number }).size,
  );
}

async function stele(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [LAUNCHER, ...args], { timeout: FSCK_LIMIT_MS });
  return stdout;
}

/** post-load.ts in its process: what it does there takes no turn of anybody's event loop. */
class Load implements AsyncDisposable {
  readonly #child = fork(LOAD, { serialization: 'advanced' });
  readonly #kill = (): boolean => this.#child.kill();

  constructor() {
    process.on('exit', this.#kill); // while it signs it does not notice that nobody is there any more
  }

  async prepare(requests: number): Promise<void> {
    await this.#order({ prepare: requests });
  }

  run(run: Run): Promise<RunResult> {
    return this.#order({ run }) as Promise<RunResult>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#kill);
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }

  async #order(order: Order): Promise<unknown> {
    const settled = new AbortController();
    const { signal } = settled;
    const ended = once(this.#child, 'exit', { signal }).then(() => {
      throw new Error('The load ended; its reason is above.');
    });
    try {
      this.#child.send(order);
      const [answer] = await Promise.race([once(this.#child, 'message', { signal }), ended]);
      return answer;
    } finally {
      settled.abort();
    }
  }
}

function figuresOf(result: RunResult, clients: number, seconds: number): Figures {
  const { others, serverCpuMs, loadCpuMs } = result;
  const latencies = [...result.latenciesMs];
  return {
    entriesPerSecond: rateOf(result, clients, seconds),
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
    maxMs: percentile(latencies, 100),
    serverCpuMicrosPerEntry: (serverCpuMs * 1_000) / latencies.length,
    loadCpuPercent: loadCpuMs / seconds / 10,
    others,
  };
}

/**
 * Entries by the time of clients that they took. All clients are answered together, once a checkpoint: whether two or three
 * such bursts fall into five seconds is luck, and a plain count would be a third off. Nor is it more than that count allows,
 * with one answer of every client at its edge: who waits to the end without an answer has taken time, too.
 */
function rateOf({ latenciesMs, clientMs }: RunResult, clients: number, seconds: number): number {
  const entries = latenciesMs.length;
  return entries === 0 ? 0 : Math.min((entries * clients * 1_000) / clientMs, (entries + clients) / seconds);
}

function medians(rounds: readonly Figures[]): Figures {
  const others: Record<string, number> = {};
  for (const [status, count] of rounds.flatMap((figures) => Object.entries(figures.others))) {
    others[status] = (others[status] ?? 0) + count;
  }
  return {
    entriesPerSecond: median(rounds.map((figures) => figures.entriesPerSecond)),
    p50Ms: median(rounds.map((figures) => figures.p50Ms)),
    p99Ms: median(rounds.map((figures) => figures.p99Ms)),
    maxMs: Math.max(...rounds.map((figures) => figures.maxMs)),
    serverCpuMicrosPerEntry: median(rounds.map((figures) => figures.serverCpuMicrosPerEntry)),
    loadCpuPercent: median(rounds.map((figures) => figures.loadCpuPercent)),
    others,
  };
}

function levelOf(clients: number, [ours, theirs]: readonly Contender[]): Level {
  if (ours === undefined) throw new Error('There is nothing to compare.');
  const stele = ours.level(clients);
  if (theirs === undefined) return { clients, stele };
  const rekor = theirs.level(clients);
  const ratio = (name: 'entriesPerSecond' | 'p50Ms' | 'p99Ms'): number => stele[name] / rekor[name];
  const ratios = {
    entriesPerSecond: ratio('entriesPerSecond'),
    p50Ms: ratio('p50Ms'),
    p99Ms: ratio('p99Ms'),
  };
  return { clients, stele, rekor, ratios };
}

function print(options: PostOptions, levels: readonly Level[], sizes: Readonly<Record<string, number>>): void {
  const { rounds, seconds, interval, rekorInterval } = options;
  const settings = { rounds, seconds, steleIntervalMs: interval, rekorIntervalMs: rekorInterval };
  const compared = levels.some(({ rekor }) => rekor !== undefined);
  const lines = [
    `post: ${seconds} s a level, of ${rounds} rounds the medians. All is as it is unless configured, but for this:`,
    `Stele: publish.interval ${interval} ms${compared ? `; Rekor v2: --checkpoint-interval=${rekorInterval}ms` : ''}`,
    '',
    '| clients | server | 201 a second | p50 ms | p99 ms | max ms | server CPU µs a 201 | load CPU | other answers |',
    '|---:|---|---:|---:|---:|---:|---:|---:|---|',
    ...levels.flatMap(rows),
    '',
    ...Object.entries(sizes).map(([name, size]) => `The log of ${name} was checked: ${readable(size)} entries.`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  if (options.json) process.stdout.write(`${JSON.stringify({ settings, levels, sizes })}\n`);
}

function rows({ clients, stele, rekor, ratios }: Level): string[] {
  const row = (...cells: readonly string[]): string => `| ${[readable(clients), ...cells].join(' | ')} |`;
  const times = (ratio: number): string => `${ratio.toFixed(2)} times`;
  return [
    row('Stele', ...cellsOf(stele)),
    ...(rekor === undefined ? [] : [row('Rekor v2', ...cellsOf(rekor))]),
    ...(ratios === undefined
      ? []
      : [
          row(
            'Stele ÷ Rekor',
            times(ratios.entriesPerSecond),
            times(ratios.p50Ms),
            times(ratios.p99Ms),
            '',
            '',
            '',
            '',
          ),
        ]),
  ];
}

function cellsOf(figures: Figures): string[] {
  const { entriesPerSecond, p50Ms, p99Ms, maxMs, serverCpuMicrosPerEntry, loadCpuPercent, others } = figures;
  const other = Object.entries(others).map(([status, count]) => `${status}: ${readable(count)}`);
  return [
    ...[entriesPerSecond, p50Ms, p99Ms, maxMs].map((value) => (value < 100 ? value.toFixed(1) : readable(value))),
    readable(Math.round(serverCpuMicrosPerEntry)),
    `${Math.round(loadCpuPercent)} %`,
    other.join(', ') || 'none',
  ];
}
