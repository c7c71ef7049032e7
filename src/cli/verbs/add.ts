import { stat } from 'node:fs/promises';
import { SteleError } from '../../errors.ts';
import { submitToSpool } from '../../queue/index.ts';
import { MAX_ENTRY_SIZE } from '../../tiles/index.ts';
import { DIR, parseSeconds } from '../arguments.ts';
import { type LogConfig, loadConfig } from '../config.ts';
import { type ExitStatus, NO, YES } from '../exit-codes.ts';
import { readInput, readStream } from '../files.ts';
import { splitLines } from '../lines.ts';
import { openConfiguredLog } from '../reading.ts';
import { listenForStop } from '../stopping.ts';
import { type Context, defineVerb } from '../verb.ts';
import { awaitAnswers, type Submitted, submitted } from '../waiting.ts';
import { queueFolder } from '../writing.ts';

/** An item is submitted when it has this many entries or bytes: half of what one may have, for one flush each. */
const ITEM_ENTRIES = 32_768;
const ITEM_BYTES = 8 * 2 ** 20;

export default defineVerb({
  positionals: {
    files: {
      describe: 'files, each of them one entry; `-` for standard input',
      type: 'string',
      array: true,
      default: [],
    },
  },
  options: {
    dir: DIR,
    lines: { describe: 'one entry per line of this file; `-` for standard input', type: 'string', requiresArg: true },
    wait: {
      describe: 'wait until all are published, verify that, and print their indices',
      type: 'boolean',
      default: false,
    },
    timeout: {
      describe: 'with --wait: give up after this long without an answer',
      type: 'string',
      default: '60s',
      requiresArg: true,
    },
  },
  examples: [
    ['add -C my-log release.json', 'one file, one entry; prints the name of the queue item'],
    ['add -C my-log --lines names.txt --wait', 'every line an entry; prints their indices when they are published'],
    ['add -C my-log --lines - < names.txt', 'from standard input'],
  ],
  async run({ dir, files, lines, wait, timeout }, context) {
    if ((lines === undefined) === (files.length === 0)) {
      throw new SteleError('config', 'give either files or --lines FILE; see `stele add --help`');
    }
    const timeoutMs = parseSeconds('--timeout', timeout);
    const config = await loadConfig(dir, context.environment);
    const entries = lines === undefined ? filesAsEntries(files, context) : splitLines(readStream(lines, context.stdin));
    const items = await submitAll(config, entries, context);
    if (!wait) {
      const ids = items.map(({ id }) => id);
      context.output.result(ids.map((id) => `${id}\n`).join(''), ids);
      return YES;
    }
    return printIndices(config, items, timeoutMs, context);
  },
});

/** Submits entries as they come, in items of a bounded size; what was submitted stays so if a later entry is bad. */
async function submitAll(
  config: LogConfig,
  runs: AsyncIterable<Uint8Array[]>,
  { output }: Context,
): Promise<Submitted[]> {
  const queue = queueFolder(config);
  const items: Submitted[] = [];
  let pending: Uint8Array[] = [];
  let bytes = 0;
  let count = 0;
  const submit = async (): Promise<void> => {
    if (pending.length === 0) return;
    // Within the limits of one item, so there is one.
    for (const { id } of await submitToSpool(queue, pending)) items.push(submitted(id, pending));
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

async function* filesAsEntries(files: readonly string[], { stdin }: Context): AsyncGenerator<Uint8Array[]> {
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

async function printIndices(
  config: LogConfig,
  items: readonly Submitted[],
  timeoutMs: number,
  { output, environment }: Context,
): Promise<ExitStatus> {
  const { reader } = await openConfiguredLog(config, undefined, environment);
  using stop = listenForStop();
  const all: (number | null)[] = [];
  let refusals = 0;
  for await (const outcomes of awaitAnswers(items, {
    queue: queueFolder(config),
    reader,
    timeoutMs,
    signal: stop.signal,
  })) {
    for (const outcome of outcomes) {
      if ('refused' in outcome) {
        refusals += 1;
        output.note(`entry ${all.length + 1} was refused: ${outcome.refused}`);
      }
      all.push('refused' in outcome ? null : outcome.index);
    }
    if (!output.json)
      output.result(outcomes.map((outcome) => ('refused' in outcome ? '' : `${outcome.index}\n`)).join(''), null);
  }
  if (output.json) output.result('', all);
  return refusals === 0 ? YES : NO;
}
