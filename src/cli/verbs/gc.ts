import { systemClock } from '../../clock.ts';
import { collectPartials } from '../../sequencer/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { parseDuration } from '../quantities.ts';
import { listenForStop } from '../stopping.ts';
import { defineVerb } from '../verb.ts';
import { openForWriting } from '../writing.ts';

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    grace: {
      describe: 'how long the full tile must have been there: readers may still hold an older checkpoint',
      type: 'string',
      default: '1h',
      requiresArg: true,
    },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
  },
  examples: [
    ['gc -C my-log', 'deletes partial tiles and bundles that full ones replaced an hour ago or earlier'],
    ['gc -C my-log --grace 1d --lock-wait 60', 'after a day, waiting up to a minute for a running sequencer'],
  ],
  async run(args, { output, environment }) {
    const graceMs = parseDuration('--grace', args.grace);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    const config = await loadConfig(args.dir, environment);
    using stop = listenForStop();
    const log = await openForWriting(config, {
      environment,
      allowOpenKey: args['allow-open-key'],
      allowEphemeral: args['allow-ephemeral'],
      lockWaitMs,
      verb: 'gc',
    });
    try {
      const { deleted, kept, checkpoint } = await collectPartials({
        ...log,
        clock: systemClock,
        graceMs,
        signal: stop.signal,
        onProgress: (count) => output.progress(`${count} deleted`),
      });
      output.result(`deleted ${deleted}, kept ${kept} partial tiles and bundles at size ${checkpoint.size}\n`, {
        deleted,
        kept,
        size: checkpoint.size,
      });
    } finally {
      await log.close();
    }
    return YES;
  },
});
