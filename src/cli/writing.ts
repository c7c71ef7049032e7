/** Opening a log for writing: its two stores, under the lock where they are folders, with its key and its settings. */

import { randomBytes } from 'node:crypto';
import { parseVerifierKey, type Signer, type Verifier } from '../note/index.ts';
import { BUCKET_SETTINGS, DIRECTORY_SETTINGS, type SequencerSettings } from '../sequencer/index.ts';
import { openWriterStores, type WriterStores } from '../store/index.ts';
import { type LogConfig, storeUrl } from './config.ts';
import { type EphemeralOptions, refuseEphemeral } from './ephemeral.ts';
import { loadLogSigner } from './key-file.ts';
import { probeDaily } from './local-cache.ts';

/** Tries of one store operation by a verb that someone waits for; a service goes on for ever. */
export const ONE_SHOT_ATTEMPTS = 5;

export interface WriterOptions extends EphemeralOptions {
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

/**
 * Opens both stores: folders under the lock of the private one, buckets when they have been found to keep their
 * promises (any number of sequencers may write to those). Throws `locked`, `config`, `unreachable`.
 */
export async function openForWriting(config: LogConfig, options: WriterOptions): Promise<WritableLog> {
  refuseEphemeral(config, options);
  const signer = await loadLogSigner(config, options);
  const urls = { publicStore: storeUrl(config, 'public'), privateStore: storeUrl(config, 'private') };
  const stores = await openWriterStores(urls, {
    waitMs: options.lockWaitMs,
    holder: options.verb,
    probe: probeDaily(config),
  });
  const verifier = parseVerifierKey(signer.verifierKey);
  return { ...stores, signer, verifier, random: (length) => randomBytes(length) };
}

/** The configured cadence and limits, with the store kind's own where nothing is configured. */
export function sequencerSettings(config: LogConfig, maxAttempts: number): SequencerSettings {
  const defaults = isInFolders(config) ? DIRECTORY_SETTINGS : BUCKET_SETTINGS;
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

/** With either store in a bucket, requests cost money and a publication takes as long as they do. */
function isInFolders(config: LogConfig): boolean {
  return (['public', 'private'] as const).every((which) => storeUrl(config, which).startsWith('file:'));
}
