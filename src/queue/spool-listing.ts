/** Which items wait in `new/`, in order, without holding more than a bounded number of names. */

import { opendir } from 'node:fs/promises';
import { parseItemName } from './spool-folders.ts';

/** Directory entries per system call; a folder of a million files is read in about a second. */
const READ_AHEAD = 1024;

/**
 * The earliest names in the folder, at most `limit`, ascending, without those in `skip`. Fewer than `limit`: that is
 * all there was.
 *
 * For each submitting process they are its earliest ones, with none left out, although submitters do not stop:
 * a folder that is read while files appear in it may show a later one and miss an earlier one. So it is read twice.
 * What the first reading saw, and whatever its submitter had put there before, exists when the second begins, and
 * that one cannot miss it.
 */
export async function listItems(folder: string, skip: ReadonlySet<string>, limit: number): Promise<string[]> {
  const seen = await earliest(folder, limit, (name) => !skip.has(name));
  if (seen.length === 0) return [];
  const lastOf = new Map(seen.map((name) => [submitterOf(name), name]));
  return earliest(folder, limit, (name) => !skip.has(name) && name <= (lastOf.get(submitterOf(name)) ?? ''));
}

/** A stranger's file is ordered against nothing but itself. */
function submitterOf(name: string): string {
  return parseItemName(name)?.submitter ?? name;
}

async function earliest(folder: string, limit: number, isWanted: (name: string) => boolean): Promise<string[]> {
  const names: string[] = [];
  let last: string | undefined;
  for await (const { name } of await opendir(folder, { bufferSize: READ_AHEAD })) {
    if (last !== undefined && name > last) continue;
    if (isHidden(name) || !isWanted(name)) continue;
    names.push(name);
    if (names.length < 2 * limit) continue;
    names.sort();
    names.length = limit;
    last = names.at(-1);
  }
  return names.sort().slice(0, limit);
}

/** Files of editors and network file systems, and names that are not UTF-8, by which nothing could be opened. */
function isHidden(name: string): boolean {
  return name.startsWith('.') || name.includes('\ufffd');
}
