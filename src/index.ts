/**
 * Stele as a library: open a log and append to it from a program.
 *
 * ```ts
 * await using log = await openLog({ publicStore: 'file:///srv/log/public', privateStore: 'file:///srv/log/private', key });
 * const { index } = await log.append(new TextEncoder().encode('an entry'));
 * ```
 *
 * Reading and verifying need none of this: `stele/client` follows a log over HTTP, `stele/verify` checks a proof offline,
 * both in a browser too.
 */

import { randomBytes } from 'node:crypto';
import { type Clock, systemClock } from './clock.ts';
import { isSteleError, SteleError } from './errors.ts';
import { parseSignerKey, parseVerifierKey, type SignedCheckpoint, type Signer, type Verifier } from './note/index.ts';
import { type Accepted, type EntryOutcome, MemoryQueue, QUEUE_LIMITS, refusalError } from './queue/index.ts';
import {
  BUCKET_SETTINGS,
  DIRECTORY_SETTINGS,
  initLog,
  type RunReport,
  Sequencer,
  type SequencerEvents,
  type SequencerSettings,
} from './sequencer/index.ts';
import { type ObjectStore, openWriterStores } from './store/index.ts';

export type { Clock } from './clock.ts';
export { BusyError, type ErrorCode, isSteleError, SteleError } from './errors.ts';
export { generateKey, type SignedCheckpoint } from './note/index.ts';
export type { Accepted } from './queue/index.ts';
export type { RunReport, SequencerEvents, SequencerSettings } from './sequencer/index.ts';
export { type ObjectStore, openStore } from './store/index.ts';

export interface LogOptions extends SequencerEvents {
  /** What everybody may read, as a URL (`file:`, `mem:`) or an open store. */
  readonly publicStore: string | ObjectStore;
  /** Journal and lock; nobody else may read or write it. */
  readonly privateStore: string | ObjectStore;
  /** The log's signer key, `PRIVATE+KEY+…`; its name is the origin. */
  readonly key: string;
  /** Cadence and limits; what is left out is as DESIGN §5 has it for a directory or a bucket. */
  readonly settings?: Partial<SequencerSettings>;
  /** How long to wait for another writer of the directory, in ms. Default: not at all. */
  readonly lockWaitMs?: number;
  readonly clock?: Clock;
}

/** Creates the log if there is none (an interrupted creation is completed), then opens it. Throws as `openLog`. */
export async function createLog(options: LogOptions & { readonly url?: string }): Promise<Log> {
  return open(options, async ({ publicStore, privateStore, signer, verifier }) => {
    const url = options.url === undefined ? {} : { url: options.url };
    await initLog({ publicStore, privateStore, signer, verifier, random, ...url });
  });
}

/**
 * Opens a log for writing. Throws `locked` while another process writes to the directory, `refused` when the stores do
 * not belong together, `config` when there is no log.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  return open(options, async () => {});
}

/** A log that this process writes to. */
export class Log {
  readonly #queue: MemoryQueue;
  readonly #sequencer: Sequencer;
  readonly #stop = new AbortController();
  readonly #running: Promise<RunReport>;
  readonly #release: () => Promise<void>;

  /** Of the library's own making: use `openLog`. */
  constructor(queue: MemoryQueue, sequencer: Sequencer, release: () => Promise<void>) {
    this.#queue = queue;
    this.#sequencer = sequencer;
    this.#release = release;
    this.#running = sequencer.run(this.#stop.signal, 'queued');
    // A writer that has failed answers everyone who waits; `close` reports the failure itself.
    this.#running.catch((error: unknown) => queue.close(asSteleError(error)));
  }

  /** The checkpoint that stands in the public store. */
  get published(): SignedCheckpoint {
    return this.#sequencer.published;
  }

  /**
   * Logs one entry of 0 to 65,535 bytes. Resolves when a checkpoint that anyone can fetch covers it. Submitting the same
   * entry again returns the first index. Throws BusyError when too much waits, `limit`, `frozen`.
   */
  append(entry: Uint8Array): Promise<Accepted> {
    return this.#queue.submitOne(entry);
  }

  /** As `append`, for many entries, which are logged in this order. Throws for the first that is refused. */
  async appendAll(entries: readonly Uint8Array[]): Promise<Accepted[]> {
    const { outcomes } = await this.#queue.submit(entries);
    return outcomes.map(accepted);
  }

  /**
   * Publishes and answers what was submitted, then lets go of stores and lock. Throws what ended the writer, if
   * anything did, or `aborted` where it takes longer than the drain deadline.
   */
  async close(): Promise<RunReport> {
    this.#stop.abort();
    try {
      return await this.#running;
    } finally {
      await this.#queue.close();
      await this.#release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

interface Opened {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
}

const random = (length: number): Uint8Array => randomBytes(length);

async function open(options: LogOptions, prepare: (opened: Opened) => Promise<void>): Promise<Log> {
  const signer = parseSignerKey(options.key);
  const verifier = parseVerifierKey(signer.verifierKey);
  const clock = options.clock ?? systemClock;
  const { publicStore, privateStore, close } = await openWriterStores(options, {
    waitMs: options.lockWaitMs ?? 0,
    holder: 'library',
  });
  try {
    await prepare({ publicStore, privateStore, signer, verifier });
    const defaults = /^(file|mem):/.test(publicStore.url) ? DIRECTORY_SETTINGS : BUCKET_SETTINGS;
    const settings = { ...defaults, ...options.settings };
    const queue = new MemoryQueue({
      limits: {
        ...QUEUE_LIMITS,
        maxEntries: settings.maxUnpublishedEntries,
        maxBytes: settings.maxUnpublishedBytes,
        maxAgeMs: settings.maxUnpublishedAgeMs,
      },
      clock,
    });
    const { onCommitted, onPublished, onRetry } = options;
    const sequencer = await Sequencer.open({
      publicStore,
      privateStore,
      queue,
      signer,
      verifier,
      clock,
      random,
      settings,
      ...(onCommitted && { onCommitted }),
      ...(onPublished && { onPublished }),
      ...(onRetry && { onRetry }),
    });
    return new Log(queue, sequencer, close);
  } catch (error) {
    await close();
    throw error;
  }
}

function accepted(outcome: EntryOutcome): Accepted {
  if ('index' in outcome) return outcome;
  throw refusalError(outcome.refused);
}

function asSteleError(error: unknown): SteleError {
  if (isSteleError(error)) return error;
  return new SteleError('aborted', `the writer failed: ${error instanceof Error ? error.message : error}`, {
    cause: error,
  });
}
