import type { LogReader } from '../../client/index.ts';
import { SteleError } from '../../errors.ts';
import { ALLOW_EPHEMERAL, DIR, parseSeconds, VKEY } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { refuseEphemeral } from '../ephemeral.ts';
import { type ExitStatus, NO, YES } from '../exit-codes.ts';
import { readStream } from '../files.ts';
import { splitLines } from '../lines.ts';
import { openSubmitter, parseQueuePlace, type QueuePlace, queuePlace } from '../queue.ts';
import { openConfiguredLog, openLog } from '../reading.ts';
import { listenForStop } from '../stopping.ts';
import { filesAsEntries, submitAll } from '../submitting.ts';
import { type Context, defineVerb } from '../verb.ts';
import { awaitAnswers, type Submitted, type WaitOptions } from '../waiting.ts';

/** Where to submit, and what proves that it was logged. */
interface Target {
  readonly place: QueuePlace;
  /** Undefined: nobody waits, or the submitter has no access to the log. */
  readonly reader: LogReader | undefined;
}

interface TargetArguments {
  readonly dir: string;
  readonly queue: string | undefined;
  readonly log: string | undefined;
  readonly vkey: string | undefined;
  readonly wait: boolean;
  readonly 'allow-ephemeral': boolean;
}

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
    queue: {
      describe: 'submit to this queue (s3:, minio:, nats: or a folder) instead: no folder of a log, no key is needed',
      type: 'string',
      requiresArg: true,
    },
    lines: { describe: 'one entry per line of this file; `-` for standard input', type: 'string', requiresArg: true },
    wait: {
      describe: 'wait until all are published, verify that, and print their indices',
      type: 'boolean',
      default: false,
    },
    log: { describe: 'with --queue and --wait: the log to verify that in', type: 'string', requiresArg: true },
    vkey: VKEY,
    timeout: {
      describe: 'with --wait: give up after this long without an answer',
      type: 'string',
      default: '60s',
      requiresArg: true,
    },
    'allow-ephemeral': ALLOW_EPHEMERAL,
  },
  examples: [
    ['add -C my-log release.json', 'one file, one entry; prints the name of the queue item'],
    ['add -C my-log --lines names.txt --wait', 'every line an entry; prints their indices when they are published'],
    ['add -C my-log --lines - < names.txt', 'from standard input'],
    [
      'add --queue s3://demo-private/log/queue release.json',
      'from a machine that may write to the queue, nothing else',
    ],
    [
      'add --queue s3://demo-private/log/queue --wait --log https://log.example/demo --vkey "$KEY" release.json',
      'the same, verified in the public log',
    ],
  ],
  async run(args, context) {
    const { files, lines, wait, timeout } = args;
    if ((lines === undefined) === (files.length === 0)) {
      throw new SteleError('config', 'give either files or --lines FILE; see `stele add --help`');
    }
    const timeoutMs = parseSeconds('--timeout', timeout);
    const { output, stdin } = context;
    const { place, reader } = await targetOf(args, context);
    const entries = lines === undefined ? filesAsEntries(files, stdin) : splitLines(readStream(lines, stdin));
    const submitter = await openSubmitter(place);
    try {
      const items = await submitAll(submitter, entries, output);
      if (wait) return await printIndices(items, { submitter, reader, timeoutMs }, context);
      const names = items.map(({ name }) => name);
      output.result(names.map((name) => `${name}\n`).join(''), names);
      return YES;
    } finally {
      await submitter.close();
    }
  },
});

/** What is wrong with any of it shows before something is submitted. */
async function targetOf(args: TargetArguments, { environment }: Context): Promise<Target> {
  const { dir, queue, log, vkey, wait } = args;
  if ((log !== undefined || vkey !== undefined) && (queue === undefined || !wait || log === undefined)) {
    throw new SteleError('config', '--log and --vkey go with --queue and --wait; see `stele add --help`');
  }
  if (queue !== undefined) {
    const reader = log === undefined ? undefined : (await openLog(log, vkey, environment)).reader;
    return { place: parseQueuePlace(queue), reader };
  }
  const config = await loadConfig(dir, environment);
  const place = queuePlace(config);
  if (place.kind === 'folder') {
    refuseEphemeral(config, { environment, allowEphemeral: args['allow-ephemeral'] }, ['private']);
  }
  const reader = wait ? (await openConfiguredLog(config, undefined, environment)).reader : undefined;
  return { place, reader };
}

async function printIndices(
  items: readonly Submitted[],
  options: Omit<WaitOptions, 'signal'>,
  { output }: Context,
): Promise<ExitStatus> {
  using stop = listenForStop();
  const all: (number | null)[] = [];
  let refusals = 0;
  for await (const outcomes of awaitAnswers(items, { ...options, signal: stop.signal })) {
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
  if (options.reader === undefined) {
    output.note('not verified, only what the queue says: give --log and --vkey to see it proven in the public log');
  }
  return refusals === 0 ? YES : NO;
}
