import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import type { CommandModule } from 'yargs';
import type { Log, SequencerSettings } from '../src/index.ts';
import { PLACE_OPTIONS, type PlaceOptions, withBenchLog } from './bench-log.ts';
import { makeEntries } from './entries.ts';
import { percentile, printFigures } from './figures.ts';
import { flushCount } from './flushes.ts';

/**
 * Entries that wait for an answer at a time, at most … The young generation that package.json gives to V8 has room for
 * their promises; in the default one they grow old, and a GiB of them lies there until the run ends.
 */
const OUTSTANDING_ENTRIES = 65_536;
/** … and bytes of them: half of what the queue in memory takes. */
const OUTSTANDING_BYTES = 64 * 2 ** 20;

interface AppendOptions extends PlaceOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly call: number;
  readonly batch: number | undefined;
  readonly interval: number | undefined;
  readonly outstanding: number | undefined;
  readonly rate: number | undefined;
  readonly seed: number;
  readonly json: boolean;
}

export const appendCommand: CommandModule<object, AppendOptions> = {
  command: 'append',
  describe: 'Appends entries, each acknowledged behind a durable published checkpoint',
  builder: {
    entries: { type: 'number', default: 100_000, describe: 'Number of entries' },
    bytes: { type: 'number', default: 1_024, describe: 'Bytes of each entry' },
    call: { type: 'number', default: 1, describe: 'Entries of one call: one is `append`, more are `appendAll`' },
    batch: { type: 'number', describe: "Most entries of one commit; default: the library's" },
    interval: { type: 'number', describe: "Milliseconds between publications; default: the library's" },
    outstanding: { type: 'number', describe: 'Entries that wait for an answer at a time; default: 65536, or 64 MiB' },
    rate: {
      type: 'number',
      describe: 'Entries per second to arrive one by one, answered or not, instead of --outstanding',
    },
    seed: { type: 'number', default: 1, describe: 'Seed of the entries' },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
    ...PLACE_OPTIONS,
  },
  async handler(options) {
    if (!(options.call >= 1)) throw new RangeError(`--call ${options.call}: a call has at least one entry`);
    const entries = makeEntries(options.entries, options.bytes, options.seed);
    const recorder = new Recorder(entries.length);
    const settings: Partial<SequencerSettings> = {
      ...(options.batch !== undefined && { maxBatchEntries: options.batch }),
      ...(options.interval !== undefined && { publishIntervalMs: options.interval }),
    };
    const events = {
      onCommitted: ({ entries: count }: { entries: number }) => recorder.committed(count),
      onPublished: () => recorder.published(),
    };
    const { value, checked } = await withBenchLog(
      options,
      { entries: entries.length, settings, events },
      async ({ log, written, verifierKey, publicUrl }) => {
        const before = { ...written, flushes: flushCount(), publications: recorder.publications };
        const start = performance.now();
        if (options.rate === undefined) {
          const most = Math.floor(Math.min(OUTSTANDING_ENTRIES, OUTSTANDING_BYTES / Math.max(1, options.bytes)));
          await appendClosed(log, entries, options.call, options.outstanding ?? most, recorder);
        } else {
          await appendOpen(log, entries, options.rate, recorder);
        }
        const seconds = (performance.now() - start) / 1000;
        return {
          seconds,
          bytesWritten: written.bytes - before.bytes,
          objectsWritten: written.objects - before.objects,
          flushes: flushCount() - before.flushes,
          publications: recorder.publications - before.publications,
          verifierKey,
          publicUrl,
        };
      },
    );
    const figures = {
      entries: entries.length,
      bytes: options.bytes,
      seconds: value.seconds,
      entriesPerSecond: entries.length / value.seconds,
      ...recorder.latencies(),
      commits: recorder.commits,
      publications: value.publications,
      bytesWritten: value.bytesWritten,
      objectsWritten: value.objectsWritten,
      flushes: value.flushes,
      fsckSeconds: checked.seconds,
      root: checked.root,
      ...(options.keep && { verifierKey: value.verifierKey, publicUrl: value.publicUrl }),
    };
    printFigures(
      `append: ${entries.length.toLocaleString('en-US')} entries of ${options.bytes} bytes`,
      figures,
      options.json,
    );
  },
};

/**
 * When each entry was submitted, committed, and acknowledged. One process submits distinct entries in order, so
 * commits cover them in that order; an acknowledgement's index proves it.
 */
class Recorder {
  readonly #submitted: Float64Array;
  readonly #committed: Float64Array;
  readonly #acknowledged: Float64Array;
  #covered = 0;
  commits = 0;
  publications = 0;

  constructor(entries: number) {
    this.#submitted = new Float64Array(entries);
    this.#committed = new Float64Array(entries);
    this.#acknowledged = new Float64Array(entries);
  }

  submitted(at: number, when: number): void {
    this.#submitted[at] = when;
  }

  acknowledged(at: number, index: number): void {
    if (index !== at) {
      throw new Error(`Entry ${at} was answered with the index ${index}.`);
    }
    this.#acknowledged[at] = performance.now();
  }

  committed(entries: number): void {
    this.#committed.fill(performance.now(), this.#covered, this.#covered + entries);
    this.#covered += entries;
    this.commits += 1;
  }

  published(): void {
    this.publications += 1;
  }

  /** From submission, in milliseconds: `p50Ms` and `p99Ms` until acknowledged, that is published. */
  latencies(): { p50Ms: number; p99Ms: number; commitP50Ms: number; commitP99Ms: number } {
    const since = (later: Float64Array): number[] => Array.from(later, (at, i) => at - (this.#submitted[i] ?? 0));
    const published = since(this.#acknowledged);
    const committed = since(this.#committed);
    return {
      p50Ms: percentile(published, 50),
      p99Ms: percentile(published, 99),
      commitP50Ms: percentile(committed, 50),
      commitP99Ms: percentile(committed, 99),
    };
  }
}

/** As fast as it goes: an answer lets the next entry in. Latency then says how much waits, not how slow the log is. */
async function appendClosed(
  log: Log,
  entries: readonly Uint8Array[],
  call: number,
  outstanding: number,
  recorder: Recorder,
): Promise<void> {
  let next = 0;
  const oneByOne = async (): Promise<void> => {
    for (let at = next++; at < entries.length; at = next++) {
      recorder.submitted(at, performance.now());
      const { index } = await log.append(entries[at] ?? new Uint8Array());
      recorder.acknowledged(at, index);
    }
  };
  const many = async (): Promise<void> => {
    for (let at = next; at < entries.length; at = next) {
      next = Math.min(at + call, entries.length);
      for (let i = at; i < next; i++) recorder.submitted(i, performance.now());
      const accepted = await log.appendAll(entries.slice(at, next));
      for (const [i, { index }] of accepted.entries()) recorder.acknowledged(at + i, index);
    }
  };
  const submitters = Math.ceil(Math.min(outstanding, entries.length) / call);
  await Promise.all(Array.from({ length: submitters }, call === 1 ? oneByOne : many));
}

/**
 * Entries arrive by the clock; latency counts from when an entry was due, so that a stall shows in all it held up.
 * Throws BusyError when the log cannot keep up.
 */
async function appendOpen(log: Log, entries: readonly Uint8Array[], rate: number, recorder: Recorder): Promise<void> {
  const start = performance.now();
  const answers: Promise<void>[] = [];
  let failure: Error | undefined;
  const submit = async (at: number): Promise<void> => {
    recorder.submitted(at, start + (at / rate) * 1000);
    try {
      const { index } = await log.append(entries[at] ?? new Uint8Array());
      recorder.acknowledged(at, index);
    } catch (error) {
      failure ??= error instanceof Error ? error : new Error(String(error));
    }
  };
  while (answers.length < entries.length && failure === undefined) {
    const due = Math.min(entries.length, Math.ceil(((performance.now() - start) / 1000) * rate));
    for (let at = answers.length; at < due; at++) {
      answers.push(submit(at));
    }
    await setTimeout(1);
  }
  await Promise.all(answers);
  if (failure !== undefined) {
    throw failure;
  }
}
