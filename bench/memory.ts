/**
 * How much memory a sequencer takes that empties a long queue in a bucket: the command itself, in a process of its own,
 * between a server in another process and a queue that was filled before.
 */

import { execFile, spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CommandModule } from 'yargs';
import { fsck } from '../src/client/index.ts';
import { systemClock } from '../src/clock.ts';
import { parseVerifierKey } from '../src/note/index.ts';
import { BucketSubmitter } from '../src/queue/index.ts';
import { openStore } from '../src/store/index.ts';
import { startVersitygw, VERSITYGW_CREDENTIALS } from '../test/interop/servers.ts';
import { makeEntries } from './entries.ts';
import { printFigures } from './figures.ts';
import { withScratch } from './scratch.ts';

const INSTALLER = join(import.meta.dirname, '..', '.ci', 'install-servers');
const LAUNCHER = join(import.meta.dirname, '..', 'bin', 'stele.js');
const PEAK_HOOK = new URL('peak-memory.ts', import.meta.url).href;

/** No single run takes longer than this, in milliseconds. */
const RUN_LIMIT_MS = 30 * 60_000;
const MIB = 2 ** 20;

interface MemoryOptions {
  readonly entries: number;
  readonly bytes: number;
  readonly item: number;
  readonly limit: number;
  readonly dir: string | undefined;
  readonly store: string | undefined;
  readonly json: boolean;
}

export const memoryCommand: CommandModule<object, MemoryOptions> = {
  command: 'memory',
  describe: 'Sequences a queue in a bucket, and fails where the sequencer ever had more memory than allowed',
  builder: {
    entries: { type: 'number', default: 100_000, describe: 'Number of entries' },
    bytes: { type: 'number', default: 1_024, describe: 'Bytes of each entry, at least 16' },
    item: { type: 'number', default: 1_000, describe: 'Entries of each queue item' },
    limit: { type: 'number', default: 512, describe: 'Most MiB resident' },
    dir: { type: 'string', describe: "Folder for the server's files; default: the system's temporary folder" },
    store: { type: 'string', describe: 'URL of a bucket to write below, instead of a versitygw that is started' },
    json: { type: 'boolean', default: false, describe: 'One JSON object on the last line' },
  },
  async handler(options) {
    await withScratch(options.dir, async (scratch) => {
      const figures = await scratch.run(async (folder) => {
        if (options.store !== undefined) return await sequenceQueue(options, folder, options.store);
        Object.assign(process.env, VERSITYGW_CREDENTIALS);
        await using server = await startVersitygw(installed('versitygw'), join(folder, 'server'));
        return await sequenceQueue(options, folder, `s3://stele-bench?endpoint=${server.url.replace(/\/$/, '')}`);
      });
      const title = `memory: ${options.entries.toLocaleString('en-US')} entries of ${options.bytes} bytes in a bucket queue`;
      printFigures(title, figures, options.json);
      if (figures.peakMiB > options.limit) {
        throw new Error(`The sequencer had ${figures.peakMiB} MiB resident, more than ${options.limit} MiB.`);
      }
    });
  },
};

async function sequenceQueue(options: MemoryOptions, folder: string, bucket: string) {
  const stores = { public: below(bucket, 'public'), private: below(bucket, 'private') };
  const dir = join(folder, 'log');
  const places = ['--public-store', stores.public, '--private-store', stores.private];
  const vkey = (await stele(['init', dir, '--origin', 'bench.example/memory', ...places])).trim();
  const items = await fillQueue(options, stores.private);

  const start = performance.now();
  const peakFile = join(folder, 'peak');
  const report = JSON.parse(await stele(['sequence', '-C', dir, '--once', '--json'], { peakFile }));
  const seconds = (performance.now() - start) / 1000;
  if (report.appended !== options.entries) throw new Error(`${report.appended} of ${options.entries} were appended.`);
  const peakMiB = (Number(await readFile(peakFile, 'utf8')) * 1024) / MIB;

  const store = await openStore(stores.public);
  const { size, problemCount, problems } = await fsck(store, parseVerifierKey(vkey));
  await store.close();
  if (problemCount > 0 || size !== options.entries) {
    throw new Error(`The log has ${size} entries and ${problemCount} problems: ${problems[0]?.problem}`);
  }
  return {
    entries: options.entries,
    bytes: options.bytes,
    items,
    seconds,
    entriesPerSecond: options.entries / seconds,
    peakMiB,
    limitMiB: options.limit,
  };
}

/** Entries are made as they are submitted: all of them would be more memory than the sequencer may have. */
async function fillQueue({ entries, bytes, item }: MemoryOptions, privateStore: string): Promise<number> {
  const submitter = new BucketSubmitter(
    { store: await openStore(privateStore), prefix: 'queue/' },
    { clock: systemClock },
  );
  let items = 0;
  for (let from = 0; from < entries; from += item) {
    items += 1;
    await submitter.submit(makeEntries(Math.min(item, entries - from), bytes, items));
  }
  await submitter.close();
  return items;
}

async function stele(args: readonly string[], { peakFile }: { readonly peakFile?: string } = {}): Promise<string> {
  const env = { ...process.env, ...(peakFile !== undefined && { PEAK_FILE: peakFile }) };
  const hook = peakFile === undefined ? [] : ['--import', PEAK_HOOK];
  const limits = { env, timeout: RUN_LIMIT_MS, maxBuffer: 64 * MIB };
  const { stdout } = await promisify(execFile)(process.execPath, [...hook, LAUNCHER, ...args], limits);
  return stdout;
}

function below(url: string, name: string): string {
  const [place = '', parameters] = url.split('?');
  return `${place.replace(/\/$/, '')}/${name}${parameters === undefined ? '' : `?${parameters}`}`;
}

function installed(program: string): string {
  const { status, stdout, stderr } = spawnSync(INSTALLER, ['--where', program], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stderr.trim()} (or give --store)`);
  return stdout.trim();
}
