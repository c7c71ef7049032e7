/** A log that this process writes to, as a program sees it. */

import { type Clock, systemClock } from '../clock.ts';
import { isSteleError, SteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import { type Accepted, type EntryOutcome, MemoryQueue, QUEUE_LIMITS, refusalError } from '../queue/index.ts';
import {
  BUCKET_SETTINGS,
  DIRECTORY_SETTINGS,
  type RunReport,
  type SequencerEvents,
  type SequencerSettings,
} from '../sequencer/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { openThread } from './thread.ts';
import { openWriter, type Writer } from './writer.ts';

export interface LogOptions extends SequencerEvents {
  /** What everybody may read, as a URL (`file:`, `s3:`, `minio:`, `mem:`) or an open store. */
  readonly publicStore: string | ObjectStore;
  /** Journal and lock; nobody else may read or write it. */
  readonly privateStore: string | ObjectStore;
  /** The log's signer key, `PRIVATE+KEY+…`; its name is the origin. */
  readonly key: string;
  /** Cadence and limits; what is left out is as DESIGN §5 has it for a directory or a bucket. */
  readonly settings?: Partial<SequencerSettings>;
  /** How long to wait for another writer of the directory, in ms. Default: not at all. */
  readonly lockWaitMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
  /**
   * Whether entries are sequenced in a thread of its own, beside the caller's: faster where very many
   * entries wait at a time, slower where few arrive steadily. Default: no. Throws `config` where it cannot be: for open
   * stores, those in memory, and an injected clock.
   */
  readonly thread?: boolean;
}

/** Creates the log if there is none (an interrupted creation is completed), then opens it. Throws as `openLog`. */
export async function createLog(options: LogOptions & { readonly url?: string }): Promise<Log> {
  const url = options.url === undefined ? {} : { url: options.url };
  return open(options, url);
}

/**
 * Opens a log for writing. Throws `locked` while another process writes to the directory, `refused` when the stores do
 * not belong together, `config` when there is no log.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  return open(options, undefined);
}

/** A log that this process writes to. */
export class Log {
  readonly #queue: MemoryQueue;
  readonly #writer: Writer;
  readonly #stop = new AbortController();
  readonly #running: Promise<RunReport>;

  /** Of the library's own making: use `openLog`. */
  constructor(queue: MemoryQueue, writer: Writer) {
    this.#queue = queue;
    this.#writer = writer;
    this.#running = writer.run(this.#stop.signal);
    // A writer that has failed answers everyone who waits; `close` reports the failure itself.
    this.#running.catch((error: unknown) => queue.close(asSteleError(error)));
  }

  /** The checkpoint that stands in the public store. */
  get published(): SignedCheckpoint {
    return this.#writer.published;
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
      await this.#writer.release();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function open(options: LogOptions, create: { readonly url?: string } | undefined): Promise<Log> {
  const { publicStore, privateStore, key, lockWaitMs = 0, clock = systemClock } = options;
  const url = typeof publicStore === 'string' ? publicStore : publicStore.url;
  const defaults = /^(file|mem):/i.test(url) ? DIRECTORY_SETTINGS : BUCKET_SETTINGS;
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
  const events = {
    ...(onCommitted && { onCommitted }),
    ...(onPublished && { onPublished }),
    ...(onRetry && { onRetry }),
  };
  const setup = { key, settings, lockWaitMs, ...(create && { create }) };
  const isNamed = (store: string | ObjectStore): store is string => typeof store === 'string' && !/^mem:/i.test(store);
  if (options.thread === true && isNamed(publicStore) && isNamed(privateStore) && options.clock === undefined) {
    return new Log(queue, await openThread({ ...setup, publicStore, privateStore }, queue, events));
  }
  if (options.thread === true) {
    throw new SteleError('config', 'an open store, one in memory, or a clock cannot be handed to another thread');
  }
  return new Log(queue, await openWriter({ ...setup, publicStore, privateStore }, { queue, clock, ...events }));
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
