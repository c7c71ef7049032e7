import { SteleError } from '../../errors.ts';
import type { Successor } from '../../note/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { parseVerifier } from '../reading.ts';
import { openSequencing } from '../sequencing.ts';
import { checkpointJson } from '../shapes.ts';
import { defineVerb } from '../verb.ts';
import { ONE_SHOT_ATTEMPTS } from '../writing.ts';

export default defineVerb({
  positionals: {},
  options: {
    successor: {
      describe: 'verifier key of the log that follows: named in a note that this log signs, once and for ever',
      type: 'string',
      requiresArg: true,
    },
    'successor-url': { describe: 'where it is served and takes entries', type: 'string', requiresArg: true },
    dir: DIR,
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
  },
  examples: [
    ['freeze -C my-log', 'appends what is waiting, then ends the log and prints its last checkpoint'],
    [
      'freeze -C my-log --successor "$NEXT" --successor-url https://log.example/2027',
      'tells clients where to go on; also later, for a log that is frozen already',
    ],
  ],
  async run(args, { output, environment }) {
    const config = await loadConfig(args.dir, environment);
    const successor = successorOf(args.successor, args['successor-url']);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    await using sequencing = await openSequencing(config, {
      environment,
      allowOpenKey: args['allow-open-key'],
      allowEphemeral: args['allow-ephemeral'],
      lockWaitMs,
      verb: 'freeze',
      output,
      attempts: ONE_SHOT_ATTEMPTS,
    });
    const checkpoint = await sequencing.sequencer.freeze();
    output.result(checkpoint.bytes, { frozen: true, ...checkpointJson(checkpoint) });
    if (successor !== undefined) await sequencing.nameSuccessor(successor, checkpoint);
    output.note(`${config.origin} is frozen at size ${checkpoint.size}: nothing can be appended any more`);
    return YES;
  },
});

/** Throws `config` where one is given without the other, or either is not what it should be. */
function successorOf(
  vkey: string | undefined,
  url: string | undefined,
): Pick<Successor, 'verifier' | 'url'> | undefined {
  if (vkey === undefined && url === undefined) return undefined;
  if (vkey === undefined || url === undefined) {
    throw new SteleError('config', '--successor and --successor-url go together');
  }
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SteleError('config', `--successor-url: ${url} is not a URL (https:)`);
  }
  return { verifier: parseVerifier('--successor', vkey), url };
}
