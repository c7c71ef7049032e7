import { fileURLToPath } from 'node:url';
import { lockDirectory } from './lock.ts';
import { openStore, sweepTemporaries } from './open.ts';
import { probeStore } from './probe.ts';
import { isBucketUrl } from './s3-url.ts';
import type { ObjectStore } from './types.ts';

/** The two stores of a log, in the hands of its writer. */
export interface WriterStores {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  /** Closes what was opened here, then lets go of the lock. */
  close(): Promise<void>;
}

export interface WriterStoresOptions {
  /** How long to wait for another writer of a directory, in ms. */
  readonly waitMs: number;
  /** What the holder of the lock does, for others to read. */
  readonly holder: string;
  /** Holds a bucket to its promises, or knows that somebody did lately. Default: once in the life of this process. */
  readonly probe?: (store: ObjectStore) => Promise<void>;
}

const probed = new Set<string>();

async function probeOnce(store: ObjectStore): Promise<void> {
  if (probed.has(store.url)) return;
  await probeStore(store);
  probed.add(store.url);
}

/**
 * Opens the stores of a log for writing, by URL. On a directory that is the way to become its one writer: takes the lock
 * in the private store (for both), then removes what a crashed writer left unfinished. A bucket may have several writers;
 * it is probed before anything is written. A store that is handed in open stays its owner's to probe, to sweep and to
 * close. Throws `locked` naming the holder after `waitMs`; `config` for a store that no log can be kept in.
 */
export async function openWriterStores(
  stores: { readonly publicStore: string | ObjectStore; readonly privateStore: string | ObjectStore },
  options: WriterStoresOptions,
): Promise<WriterStores> {
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const step of closers.splice(0).toReversed()) await step();
  };
  const open = async (store: string | ObjectStore): Promise<ObjectStore> => {
    if (typeof store !== 'string') return store;
    const opened = await openStore(store);
    closers.push(() => opened.close());
    if (isBucketUrl(store)) await (options.probe ?? probeOnce)(opened);
    await sweepTemporaries(store);
    return opened;
  };
  try {
    const { privateStore } = stores;
    const url = typeof privateStore === 'string' ? privateStore : privateStore.url;
    if (url.startsWith('file:')) {
      const lock = await lockDirectory(fileURLToPath(url), options);
      closers.push(() => lock.release());
    }
    return { publicStore: await open(stores.publicStore), privateStore: await open(privateStore), close };
  } catch (error) {
    await close();
    throw error;
  }
}
