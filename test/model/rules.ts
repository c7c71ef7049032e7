/** The rules of the protocol, and what must never happen, whoever keeps or breaks them. */

import type { State } from './state.ts';

export interface Bounds {
  /** Nothing is committed beyond this size. */
  readonly size: number;
  /** Most entries of one record. */
  readonly batch: number;
  readonly crashes: number;
  /** How often the public store is put back to an older copy, or the journal lost. */
  readonly disasters: number;
  readonly freezes: number;
  /** What each writer wants to log. */
  readonly wanted: readonly string[];
}

/** The rules of DESIGN §5, each of which can be left out. */
export const RULES = [
  /** A record counts only if the published size, read afterwards, is not beyond it. */
  'authority',
  /** Entries that a jump brought are known before the next commit. */
  'backfill',
  /** The checkpoint is replaced by compare-and-swap. */
  'swap',
  /** The record that ends at the published size is not collected. */
  'keep-last',
  /** A published tree is loaded only with the record that ends there. */
  'last-record',
  /** Nor with records beyond what the walk reaches. */
  'gap',
  /** A record extends a root, not only a size. */
  'base-root',
  /** A load reads the checkpoint again after its walk. */
  'second-look',
  /** A tree is signed when its last record counts, not when that is created. */
  'sign-after-authority',
  /** A freeze counts as any record does. */
  'freeze-authority',
  /** A freeze record that lost authority is made anew: it has nothing by which it could be found in the log. */
  'freeze-again',
  /** A freeze is a record at the next key, so that nothing can be committed behind it. */
  'freeze-key',
] as const;
export type Rule = (typeof RULES)[number];

export class Violation extends Error {}

export function sign(s: State, tree: string): void {
  if (tree.startsWith(s.signed)) s.signed = tree;
  else if (!s.signed.startsWith(tree)) throw new Violation(`FORK: ${s.signed} and ${tree} are signed`);
  checkFrozen(s, tree);
}

export function publish(s: State, tree: string): void {
  if (!tree.startsWith(s.checkpoint)) throw new Violation(`ROLLBACK: ${s.checkpoint} was published, now ${tree}`);
  s.checkpoint = tree;
  if (!s.past.includes(tree)) s.past.push(tree);
}

export function checkEntries(tree: string): void {
  if (new Set(tree).size !== tree.length) throw new Violation(`DUPLICATE: ${tree}`);
}

export function checkFrozen({ frozen }: State, tree: string): void {
  if (frozen !== undefined && tree.length > frozen.length)
    throw new Violation(`THAWED: ${frozen} was frozen, now ${tree}`);
}
