/** What kind of schedule a seed is: how many writers, how bad the weather, what they log. Drawn before anything happens. */

import { DIRECTORY_SETTINGS, type SequencerSettings } from '../../src/sequencer/index.ts';
import type { Dice } from './dice.ts';
import type { Weather } from './network.ts';

export interface Profile {
  readonly writers: number;
  /** Where items wait: in each process, or in a queue of all; there, delivered to one at a time or to everybody. */
  readonly queue: 'own' | 'shared, one at a time' | 'shared, to everybody';
  readonly weather: Weather;
  /** Chance of a process to die, or to pause, after anything that happens to it. */
  readonly crash: number;
  readonly pause: number;
  readonly baseSize: number;
  readonly submitters: number;
  readonly batches: number;
  readonly batchEntries: number;
  /** How many different entries there are to submit. */
  readonly distinct: number;
  readonly settings: SequencerSettings;
  /** Every machine remembers what lies before the dedup window: then nothing is ever logged twice. */
  readonly remembers: boolean;
  readonly pageSize: number;
  readonly cosigned: boolean;
  readonly clocksJump: boolean;
  /** Some process freezes the log after about so many ms, if any. */
  readonly freezeAfterMs: number | undefined;
  /** The public store is put back, or the journal lost, after so many publications, if ever. */
  readonly disasterAfter: number | undefined;
  readonly chaosMs: number;
}

export function drawProfile(d: Dice): Profile {
  const disaster = d.chance(0.15);
  const latencyMs = d.oneOf(2, 10, 40);
  const remembers = !disaster && d.chance(0.15);
  // What is remembered is held against the log: with reads, once it has a full tile.
  const baseSize = disaster ? 0 : remembers ? d.oneOf(0, 256, 509, 766) : drawBaseSize(d);
  const narrow = remembers || d.chance(0.2);
  const dedupWindow = remembers ? 2 + d.below(8) : narrow ? 8 + d.below(20) : 600;
  return {
    writers: disaster ? 2 + d.below(2) : 1 + d.below(remembers ? 2 : 4),
    queue: d.oneOf('own', 'own', 'shared, one at a time', 'shared, to everybody'),
    weather: {
      faults: disaster ? d.oneOf(0.1, 0.25) : d.oneOf(0, 0.03, 0.1, 0.25),
      latencyMs,
      tail: d.oneOf(0, 0.01, 0.04),
      timeoutMs: d.oneOf(100, 1_000, 10_000),
      latestMs: d.oneOf(200, 2_000, 20_000),
    },
    crash: d.oneOf(0, 0, 0.003, 0.02),
    pause: d.oneOf(0, 0.003, 0.02),
    baseSize,
    remembers,
    submitters: remembers ? 6 : 1 + d.below(4),
    batches: (remembers ? 8 : 1) + d.below(4),
    batchEntries: disaster ? 1 : remembers ? 7 : d.oneOf(1, 3, 7),
    distinct: remembers ? d.oneOf(20, 60) : d.oneOf(6, 30, 1_000),
    settings: {
      ...DIRECTORY_SETTINGS,
      dedupWindow,
      publishIntervalMs: d.oneOf(0, 20, 200),
      commitIntervalMs: d.oneOf(0, 0, 100),
      republishMs: d.chance(0.1) ? 3_000 : 0,
      maxBatchEntries: disaster ? 1 : d.oneOf(1, 2, 5, 300),
      maxUnpublishedEntries: narrow ? Math.min(8, dedupWindow) : d.oneOf(3, 600),
      maxAttempts: d.oneOf(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 4),
      drainDeadlineMs: d.oneOf(1e9, 20_000),
    },
    pageSize: d.oneOf(1, 2, 1_000),
    cosigned: d.chance(0.15),
    clocksJump: d.chance(0.2),
    freezeAfterMs: d.chance(0.1) ? d.below(400 * latencyMs) : undefined,
    disasterAfter: disaster ? 1 + d.below(5) : undefined,
    chaosMs: remembers ? 200 * latencyMs : 3_000 + 500 * latencyMs * d.real(),
  };
}

/** Mostly a new log; sometimes one that is about to cross a tile, of level 0 or of level 1. */
function drawBaseSize(d: Dice): number {
  if (d.chance(0.75)) return 0;
  return d.chance(0.9) ? d.oneOf(1, 240, 251, 254, 255, 256, 509, 766) : d.oneOf(65_280, 65_531, 65_535);
}
