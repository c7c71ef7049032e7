import { resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { CommandModule } from 'yargs';
import { openRangeThreads } from '../src/cli/fsck-threads.ts';
import { DEFAULT_RETRY, type FsckReport, fsck } from '../src/client/index.ts';
import { parseVerifierKey } from '../src/note/index.ts';
import { openReadableStore } from '../src/store/index.ts';
import { PLACE_OPTIONS, type PlaceOptions, withBenchLog } from './bench-log.ts';
import { makeEntries } from './entries.ts';
import { printFigures } from './figures.ts';

/** Entries of one submission while the log is built. */
const SUBMISSION_ENTRIES = 32_768;

interface FsckOptions extends PlaceOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly threads: number;
  readonly seed: number;
  readonly log: string | undefined;
  readonly vkey: string | undefined;
  readonly json: boolean;
}

export const fsckCommand: CommandModule<object, FsckOptions> = {
  command: 'fsck',
  describe: 'Entries per second that fsck checks, of a log that it builds or is given',
  builder: {
    entries: { type: 'number', default: 500_000, describe: 'Entries of the log to build' },
    bytes: { type: 'number', default: 1_024, describe: 'Bytes of each entry' },
    threads: { type: 'number', default: 2, describe: 'Threads that check; 1: this one' },
    log: { type: 'string', describe: 'Check this public store (URL or folder) and build none', implies: 'vkey' },
    vkey: { type: 'string', describe: 'Verifier key of --log', implies: 'log' },
    seed: { type: 'number', default: 1, describe: 'Seed of the entries' },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
    ...PLACE_OPTIONS,
  },
  async handler(options) {
    const { report, seconds } =
      options.log !== undefined && options.vkey !== undefined
        ? await timedFsck(storeUrl(options.log), options.vkey, options.threads)
        : await buildAndCheck(options);
    const figures = {
      entries: report.size,
      bytesOfBundles: report.bytes,
      threads: options.threads,
      seconds,
      entriesPerSecond: report.entries / seconds,
      megabytesPerSecond: report.bytes / 1e6 / seconds,
    };
    printFigures(`fsck: ${report.size.toLocaleString('en-US')} entries`, figures, options.json);
  },
};

interface Timed {
  readonly report: FsckReport;
  readonly seconds: number;
}

async function buildAndCheck(options: FsckOptions): Promise<Timed> {
  const entries = makeEntries(options.entries, options.bytes, options.seed);
  const { value } = await withBenchLog(
    options,
    { entries: entries.length, settings: {} },
    async ({ log, verifierKey, publicUrl }) => {
      for (let at = 0; at < entries.length; at += SUBMISSION_ENTRIES) {
        await log.appendAll(entries.slice(at, at + SUBMISSION_ENTRIES));
      }
      return timedFsck(publicUrl, verifierKey, options.threads);
    },
  );
  return value;
}

/** The time includes starting the threads, as it does for whoever runs `stele fsck`. */
async function timedFsck(url: string, vkey: string, threadCount: number): Promise<Timed> {
  const store = openReadableStore(url);
  await setImmediate(); // yargs writes a help text that nobody asked for, once a handler waits
  const start = performance.now();
  const threads = threadCount > 1 ? openRangeThreads(threadCount, { storeUrl: url, retry: DEFAULT_RETRY }) : undefined;
  try {
    const inThreads = threads && { checkRange: threads.checkRange, rangesInFlight: 2 * threadCount };
    const report = await fsck(store, parseVerifierKey(vkey), { ...inThreads });
    const seconds = (performance.now() - start) / 1000;
    if (report.problemCount > 0) {
      throw new Error(`The log is wrong: ${report.problems[0]?.key}: ${report.problems[0]?.problem}`);
    }
    return { report, seconds };
  } finally {
    await threads?.close();
  }
}

function storeUrl(log: string): string {
  return /^[a-z]+:/.test(log) ? log : pathToFileURL(resolve(log)).href;
}
