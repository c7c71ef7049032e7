/** What items that wait are called, the same in a spool directory and in a bucket (tiles-spec/submission.md). */

import { hash, randomBytes } from 'node:crypto';

/** Characters that are kept of a stranger's name: at most 180 bytes, so that more can be put around it. */
const KEPT_NAME_LENGTH = 60;

/** Somebody who submits, among all that ever do: 16 hex digits. */
export function randomSubmitter(): string {
  return randomBytes(8).toString('hex');
}

/**
 * The names of one submitter's items, in the order of the calls:
 *
 *     0001764000000000-9f86d081884c7d65-0000000042-<id, 64 hex digits>
 *     └ ms since 1970  └ the submitter  └ counter
 *
 * Ascending byte order is the order in which they are taken. The time only keeps submitters roughly in turn: for one
 * of them it never decreases, whatever its clock does, and the counter decides between equal times.
 */
export function itemNamer(now: () => number, submitter: string): (id: string) => string {
  let time = 0;
  let counter = 0;
  return (id) => {
    time = Math.max(time, Math.floor(now()));
    counter += 1;
    return `${String(time).padStart(16, '0')}-${submitter}-${String(counter).padStart(10, '0')}-${id}`;
  };
}

export interface ItemName {
  readonly submitter: string;
  /** 1 for the submitter's first item, one more for each. */
  readonly counter: number;
  readonly id: string;
}

/** What the name of an item says, or undefined for a name that no submitter gives. */
export function parseItemName(name: string): ItemName | undefined {
  const [, submitter, counter, id] = /^[0-9]{16}-([0-9a-f]{16})-([0-9]{10})-([0-9a-f]{64})$/.exec(name) ?? [];
  if (submitter === undefined || counter === undefined || id === undefined) return undefined;
  return { submitter, counter: Number(counter), id };
}

/**
 * For the second of two listings: whether it may take a name, given those that the first one saw.
 *
 * A listing that is made while items appear may show a later one and miss an earlier one of the same submitter. What the
 * first listing saw, and whatever its submitter had put there before, exists when the second begins, and that one cannot
 * miss it. What lies beyond is left for another time.
 */
export function notAboveThe(seen: readonly string[]): (name: string) => boolean {
  const lastOf = new Map(seen.map((name) => [submitterOf(name), name]));
  return (name) => name <= (lastOf.get(submitterOf(name)) ?? '');
}

/** A stranger's item is ordered against nothing but itself. */
function submitterOf(name: string): string {
  return parseItemName(name)?.submitter ?? name;
}

/** What an item is called once it is set aside. Strangers' names may be of any length; a digest keeps them apart. */
export function asideName(name: string): string {
  if (parseItemName(name)) return name;
  const kept = name.slice(0, KEPT_NAME_LENGTH).toWellFormed();
  return `${hash('sha256', name, 'hex').slice(0, 16)}-${kept.replace(/[/\\\p{Cc}]/gu, '_')}`;
}

/** The reason that is left beside it: text of two lines. */
export function whyAside(name: string, reason: string): string {
  return `${reason}\nfile: ${JSON.stringify(name)}\n`;
}
