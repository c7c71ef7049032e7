/**
 * Outcomes as numbers. A sequencer holds one for every entry from its batch until it is published, tens of thousands at a
 * time, and a log in a thread sends them all: that is an array an item, where it would be an object an entry.
 *
 * An entry that is in the log is its index, a duplicate -1 - index, and one that a frozen log refuses NaN: a sequencer
 * refuses nothing else.
 */

import { FROZEN_REASON } from './refusal.ts';
import type { EntryOutcome } from './types.ts';

export function packOutcome(outcome: EntryOutcome): number {
  if ('refused' in outcome) {
    if (outcome.refused !== FROZEN_REASON) throw new TypeError(`no number stands for this refusal: ${outcome.refused}`);
    return Number.NaN;
  }
  return outcome.duplicate ? -1 - outcome.index : outcome.index;
}

export function unpackOutcome(packed: number): EntryOutcome {
  if (packed >= 0) return { index: packed, duplicate: false };
  return packed < 0 ? { index: -1 - packed, duplicate: true } : { refused: FROZEN_REASON };
}

export function packOutcomes(outcomes: readonly EntryOutcome[]): Float64Array {
  const packed = new Float64Array(outcomes.length);
  outcomes.forEach((outcome, place) => {
    packed[place] = packOutcome(outcome);
  });
  return packed;
}

export function unpackOutcomes(packed: Float64Array): EntryOutcome[] {
  const outcomes: EntryOutcome[] = [];
  for (const one of packed) outcomes.push(unpackOutcome(one));
  return outcomes;
}
