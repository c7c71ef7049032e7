/** Opening a log for writing: its two stores, under the lock, with its key and its settings. */

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { parseVerifierKey, type Signer, type Verifier } from '../note/index.ts';
import { openSpool, type SubmissionQueue } from '../queue/index.ts';
import { BUCKET_SETTINGS, DIRECTORY_SETTINGS, type SequencerSettings } from '../sequencer/index.ts';
import { openWriterStores, type WriterStores } from '../store/index.ts';
import { type Environment, type LogConfig, storeUrl } from './config.ts';
import { loadLogSigner } from './key-file.ts';

/** Folder of the queue in the private store (DESIGN §4). */
const QUEUE = 'queue';

/** Tries of one store operation by a verb that someone waits for; a service goes on for ever. */
export const ONE_SHOT_ATTEMPTS = 5;

export interface WriterOptions {
  readonly environment: Environment;
  readonly allowOpenKey: boolean;
  /** How long to wait for another writer, in ms. */
  readonly lockWaitMs: number;
  /** What the next writer is told that this process does. */
  readonly verb: string;
}

export interface WritableLog extends WriterStores {
  readonly signer: Signer;
  readonly verifier: Verifier;
  readonly random: (length: number) => Uint8Array;
}

/** Takes the lock of the private folder, then opens both stores. Throws `locked`, `config`, `unreachable`. */
export async function openForWriting(config: LogConfig, options: WriterOptions): Promise<WritableLog> {
  const signer = await loadLogSigner(config, options);
  privateFolder(config); // a lock and a queue need one
  const urls = { publicStore: storeUrl(config, 'public'), privateStore: storeUrl(config, 'private') };
  const stores = await openWriterStores(urls, { waitMs: options.lockWaitMs, holder: options.verb });
  const verifier = parseVerifierKey(signer.verifierKey);
  return { ...stores, signer, verifier, random: (length) => randomBytes(length) };
}

/** The folder of the private store: it holds the lock and the queue. Throws `config` for a store that is no folder. */
export function privateFolder(config: Pick<LogConfig, 'dir' | 'stores'>): string {
  const url = storeUrl(config, 'private');
  if (!url.startsWith('file:')) {
    throw new SteleError(
      'config',
      `stores.private of ${config.dir} is ${url}: it must be a folder, for its lock and its queue`,
    );
  }
  return fileURLToPath(url);
}

/** The configured cadence and limits, with the store kind's own where nothing is configured. */
export function sequencerSettings(config: LogConfig, maxAttempts: number): SequencerSettings {
  const defaults = isFolder(config) ? DIRECTORY_SETTINGS : BUCKET_SETTINGS;
  const { publish, maxUnpublished, batch, dedup } = config;
  return {
    ...defaults,
    publishIntervalMs: publish?.interval ?? defaults.publishIntervalMs,
    republishMs: publish?.republish ?? defaults.republishMs,
    maxBatchEntries: batch?.entries ?? defaults.maxBatchEntries,
    maxBatchBytes: batch?.bytes ?? defaults.maxBatchBytes,
    dedupWindow: dedup?.window ?? defaults.dedupWindow,
    maxUnpublishedEntries: maxUnpublished?.entries ?? defaults.maxUnpublishedEntries,
    maxUnpublishedBytes: maxUnpublished?.bytes ?? defaults.maxUnpublishedBytes,
    maxUnpublishedAgeMs: maxUnpublished?.age ?? defaults.maxUnpublishedAgeMs,
    maxAttempts,
  };
}

/** The folder where `stele add` leaves submissions. */
export function queueFolder(config: LogConfig): string {
  return join(privateFolder(config), QUEUE);
}

/** The sequencer's side of that folder. */
export function openQueue(config: LogConfig): Promise<SubmissionQueue> {
  return openSpool(queueFolder(config), { clock: systemClock, pollMs: config.queue?.poll });
}

function isFolder(config: LogConfig): boolean {
  return storeUrl(config, 'public').startsWith('file:');
}
