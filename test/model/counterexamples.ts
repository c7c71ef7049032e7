/** For every rule the smallest world in which leaving it out goes wrong, and how. */

import type { Bounds, Rule } from './rules.ts';

export interface Counterexample {
  readonly rule: Rule;
  readonly bounds: Bounds;
  readonly violation: RegExp;
}

/** Two writers, records of one entry, nobody crashes, nothing is lost, nobody freezes. */
export const SMALL: Bounds = { size: 2, batch: 1, crashes: 0, disasters: 0, freezes: 0, wanted: ['ab', 'x'] };

const FREEZING: Bounds = { ...SMALL, freezes: 1, wanted: ['', 'xy'] };

export const COUNTEREXAMPLES: readonly Counterexample[] = [
  { rule: 'authority', bounds: SMALL, violation: /^FORK/ },
  { rule: 'backfill', bounds: SMALL, violation: /^DUPLICATE/ },
  { rule: 'swap', bounds: SMALL, violation: /^ROLLBACK/ },
  { rule: 'keep-last', bounds: SMALL, violation: /^REFUSED/ },
  { rule: 'last-record', bounds: { ...SMALL, disasters: 1 }, violation: /^FORK/ },
  { rule: 'gap', bounds: { ...SMALL, disasters: 1 }, violation: /^FORK/ },
  { rule: 'base-root', bounds: { ...SMALL, disasters: 1 }, violation: /^FORK/ },
  { rule: 'second-look', bounds: { ...SMALL, batch: 2, crashes: 1 }, violation: /^FORK/ },
  { rule: 'sign-after-authority', bounds: SMALL, violation: /^FORK/ },
  { rule: 'freeze-authority', bounds: FREEZING, violation: /^THAWED/ },
  { rule: 'freeze-again', bounds: FREEZING, violation: /^THAWED/ },
  { rule: 'freeze-key', bounds: FREEZING, violation: /^THAWED/ },
];
