/** Which items wait in `new/`, in order, without holding more than a bounded number of names. */

import { opendir } from 'node:fs/promises';
import { notAboveThe } from './item-names.ts';

/** Directory entries per system call; a folder of a million files is read in about a second. */
const READ_AHEAD = 1024;

/**
 * The earliest names in the folder, at most `limit`, ascending, without those in `skip`. Fewer than `limit`: that is
 * all there was.
 *
 * For each submitting process they are its earliest ones, with none left out, although submitters do not stop: the
 * folder is read twice.
 */
export async function listItems(folder: string, skip: ReadonlySet<string>, limit: number): Promise<string[]> {
  const seen = await earliest(folder, limit, (name) => !skip.has(name));
  if (seen.length === 0) return [];
  const isSettled = notAboveThe(seen);
  return earliest(folder, limit, (name) => !skip.has(name) && isSettled(name));
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
