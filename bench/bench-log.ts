/** The log that a benchmark writes: fresh, on any store, counted, and checked at the end. */

import { randomBytes } from 'node:crypto';
import { mkdir, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Options } from 'yargs';
import { fsck } from '../src/client/index.ts';
import { createLog, type Log, type SequencerEvents, type SequencerSettings } from '../src/index.ts';
import { generateKey, parseVerifierKey } from '../src/note/index.ts';
import { openReadableStore, openStore } from '../src/store/index.ts';

/** How statfs(2) names a file system in memory. */
const TMPFS_MAGIC = 0x0102_1994;

/** Where a benchmark writes. */
export interface PlaceOptions {
  readonly dir: string | undefined;
  readonly store: string | undefined;
  readonly keep: boolean;
}

export const PLACE_OPTIONS = {
  dir: {
    type: 'string',
    describe: "Folder to write below; default: the system's temporary folder",
    conflicts: 'store',
  },
  store: { type: 'string', describe: 'URL of a store to write below, instead of a folder' },
  keep: { type: 'boolean', default: false, describe: 'Leave the log behind' },
} satisfies Record<string, Options>;

/** What the log has written. */
interface Written {
  objects: number;
  bytes: number;
}

export interface BenchLog {
  readonly log: Log;
  readonly written: Written;
  readonly verifierKey: string;
  /** Where others can read it. */
  readonly publicUrl: string;
}

/** What the check at the end found; it is good, or there was an error. */
export interface CheckedLog {
  readonly size: number;
  readonly root: string;
  readonly seconds: number;
}

/**
 * Creates a log at a fresh place, runs `work` with it, closes it, and checks all of it. Throws when the check finds
 * anything, or another number of entries than `entries`. What was written is removed unless it is to be kept.
 */
export async function withBenchLog<T>(
  place: PlaceOptions,
  options: {
    readonly entries: number;
    readonly settings: Partial<SequencerSettings>;
    readonly events?: SequencerEvents;
  },
  work: (bench: BenchLog) => Promise<T>,
): Promise<{ value: T; checked: CheckedLog }> {
  const base = await freshPlace(place);
  const urls = { publicStore: `${base}/public`, privateStore: `${base}/private` };
  try {
    const { skey, vkey } = generateKey('bench.example/log', randomBytes(32));
    const written = { objects: 0, bytes: 0 };
    const log = await createLog({
      ...urls,
      thread: !/^mem:/.test(urls.publicStore),
      key: skey,
      settings: options.settings,
      onCommitted(event) {
        written.objects += 1;
        written.bytes += event.bytes;
        options.events?.onCommitted?.(event);
      },
      onPublished(event) {
        written.objects += event.objects + 1;
        written.bytes += event.bytes + event.checkpoint.bytes.length;
        options.events?.onPublished?.(event);
      },
    });
    let value: T;
    try {
      value = await work({ log, written, verifierKey: vkey, publicUrl: urls.publicStore });
    } finally {
      await log.close();
    }
    return { value, checked: await check(urls.publicStore, vkey, options.entries) };
  } finally {
    if (place.keep) {
      process.stderr.write(`kept: ${base}\n`);
    } else {
      await remove(base, Object.values(urls));
    }
  }
}

async function check(url: string, vkey: string, entries: number): Promise<CheckedLog> {
  const start = performance.now();
  const report = await fsck(openReadableStore(url), parseVerifierKey(vkey));
  const seconds = (performance.now() - start) / 1000;
  if (report.problemCount > 0) {
    const [first] = report.problems;
    throw new Error(`The log is wrong: ${report.problemCount} problems, the first: ${first?.key}: ${first?.problem}`);
  }
  if (report.size !== entries) {
    throw new Error(`The log has ${report.size} entries, and ${entries} were appended.`);
  }
  return { size: report.size, root: Buffer.from(report.root).toString('base64'), seconds };
}

/** A URL below which nothing is yet. */
async function freshPlace({ dir, store }: PlaceOptions): Promise<string> {
  const name = `stele-bench-${randomBytes(6).toString('hex')}`;
  const parent = store ?? pathToFileURL(resolve(dir ?? tmpdir())).href;
  const base = `${parent.replace(/\/$/, '')}/${name}`;
  if (base.startsWith('file:')) {
    const folder = fileURLToPath(base);
    await mkdir(folder, { recursive: true });
    if ((await statfs(folder)).type === TMPFS_MAGIC) {
      process.stderr.write(`${folder} is in memory, where flushes cost nothing: give a --dir that is on a disk\n`);
    }
  }
  return base;
}

async function remove(base: string, urls: readonly string[]): Promise<void> {
  if (base.startsWith('file:')) {
    await rm(fileURLToPath(base), { recursive: true, force: true });
    return;
  }
  for (const url of urls) {
    const store = await openStore(url);
    for await (const { key } of store.list('')) {
      await store.delete(key);
    }
    await store.close();
  }
}
