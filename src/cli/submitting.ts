/** Entries from files or lines, submitted as they come. */

import { stat } from 'node:fs/promises';
import { SteleError } from '../errors.ts';
import type { Submitter } from '../queue/index.ts';
import { MAX_ENTRY_SIZE } from '../tiles/index.ts';
import { readInput } from './files.ts';
import type { Output } from './output.ts';
import { type Submitted, submitted } from './waiting.ts';

/** An item is submitted when it has this many entries or bytes: half of what one may have, for one flush each. */
const ITEM_ENTRIES = 32_768;
const ITEM_BYTES = 8 * 2 ** 20;

/** Submits entries as they come, in items of a bounded size; what was submitted stays so if a later entry is bad. */
export async function submitAll(
  submitter: Submitter,
  runs: AsyncIterable<Uint8Array[]>,
  output: Output,
): Promise<Submitted[]> {
  const items: Submitted[] = [];
  let pending: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  const submit = async (): Promise<void> => {
    if (pending.length === 0) return;
    // Within the limits of one item, so there is one.
    for (const name of await submitter.submit(pending)) items.push(submitted(name, pending));
    count += pending.length;
    pending = [];
    bytes = 0;
    output.progress(`${count} entries submitted`);
  };
  try {
    for await (const run of runs) {
      for (const entry of run) {
        pending.push(entry);
        bytes += entry.length;
        if (pending.length >= ITEM_ENTRIES || bytes >= ITEM_BYTES) await submit();
      }
    }
    await submit();
  } catch (error) {
    if (count > 0) output.note(`the first ${count} entries were submitted before this`);
    throw error;
  }
  return items;
}

/** Each file is one entry. */
export async function* filesAsEntries(
  files: readonly string[],
  stdin: NodeJS.ReadableStream,
): AsyncGenerator<Uint8Array[]> {
  // Looked at before anything is submitted: a misspelt name should not leave half of the files behind.
  for (const file of files) {
    if (file !== '-') await checkEntryFile(file);
  }
  for (const file of files) yield [await readInput(file, stdin, MAX_ENTRY_SIZE)];
}

async function checkEntryFile(file: string): Promise<void> {
  const found = await stat(file).catch((cause: Error) => {
    throw new SteleError('config', `cannot read ${file}: ${cause.message}`, { cause });
  });
  if (found.isDirectory())
    throw new SteleError('config', `${file} is a folder: an entry is a file, or a line of --lines FILE`);
  if (found.size > MAX_ENTRY_SIZE) {
    throw new SteleError('limit', `${file} has ${found.size} bytes, an entry at most ${MAX_ENTRY_SIZE}`);
  }
}
