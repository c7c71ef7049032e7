/** Cadence and limits of DESIGN §5. Data only: whoever opens a sequencer chooses, nothing reads configuration deep inside. */

import { SteleError } from '../errors.ts';

export interface SequencerSettings {
  /**
   * Least time between two publications, in ms, unless 16,384 entries are committed and no witness is to be asked. 0:
   * publish as soon as something is committed.
   */
  readonly publishIntervalMs: number;
  /**
   * Least time between two commits, in ms, unless a full batch waits; `publishIntervalMs` where that is shorter. Where a
   * commit costs money: nothing is acknowledged before it is published, so that committing more often gains nothing. And
   * it leaves room for others: whoever commits without a pause is always ahead of one who has to read the record first.
   */
  readonly commitIntervalMs: number;
  /** Sign and publish the same tree again after this long without growth, in ms. 0: never. */
  readonly republishMs: number;
  /** Most entries of one journal record, 1 to 65,536. A batch that is cut short ends at a multiple of 256. */
  readonly maxBatchEntries: number;
  /** Most bytes of one journal record's payload (bundle encoding), at most 16 MiB less the record's own fields. */
  readonly maxBatchBytes: number;
  /** How many of the latest entries are known by leaf hash, at least `maxUnpublishedEntries`. */
  readonly dedupWindow: number;
  /** Nothing more is committed while this many entries … */
  readonly maxUnpublishedEntries: number;
  /** … or this many bytes of them … */
  readonly maxUnpublishedBytes: number;
  /** … or one this old (ms) are committed and not yet published. */
  readonly maxUnpublishedAgeMs: number;
  /** How long a stopped sequencer may take to publish what it has received, in ms. */
  readonly drainDeadlineMs: number;
  /** Tries of one store operation before the error is the caller's. Infinity for a service, few for cron. */
  readonly maxAttempts: number;
}

const LIMITS = {
  maxBatchEntries: 4_096,
  maxBatchBytes: 8 * 2 ** 20,
  dedupWindow: 2 ** 20,
  maxUnpublishedEntries: 1_000_000,
  maxUnpublishedBytes: 128 * 2 ** 20,
  maxUnpublishedAgeMs: 60_000,
  drainDeadlineMs: 30_000,
  maxAttempts: Number.POSITIVE_INFINITY,
} as const;

export const DIRECTORY_SETTINGS: SequencerSettings = {
  ...LIMITS,
  publishIntervalMs: 100,
  commitIntervalMs: 0,
  republishMs: 0,
};
export const BUCKET_SETTINGS: SequencerSettings = {
  ...LIMITS,
  publishIntervalMs: 1_000,
  commitIntervalMs: 1_000,
  republishMs: 0,
};

/** Throws `config` for settings that contradict each other or a format. */
export function checkSettings(settings: SequencerSettings): void {
  const { maxBatchEntries, maxBatchBytes, dedupWindow, maxUnpublishedEntries, maxUnpublishedBytes } = settings;
  const fail = (message: string): never => {
    throw new SteleError('config', message);
  };
  if (!(maxBatchEntries >= 1 && maxBatchEntries <= 65_536)) fail('maxBatchEntries must be 1 to 65536');
  if (!(maxBatchBytes >= 2 + 65_535 && maxBatchBytes <= 15 * 2 ** 20)) fail('maxBatchBytes must be 64 KiB to 15 MiB');
  if (!(maxUnpublishedEntries >= 1 && maxUnpublishedBytes >= 1)) {
    fail('maxUnpublishedEntries and maxUnpublishedBytes must be at least 1: nothing would be committed');
  }
  if (dedupWindow < maxUnpublishedEntries) {
    fail(`dedupWindow (${dedupWindow}) must be at least maxUnpublishedEntries (${maxUnpublishedEntries})`);
  }
}
