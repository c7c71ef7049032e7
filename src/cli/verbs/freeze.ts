import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { openSequencing } from '../sequencing.ts';
import { checkpointJson } from '../shapes.ts';
import { defineVerb } from '../verb.ts';
import { ONE_SHOT_ATTEMPTS } from '../writing.ts';

export default defineVerb({
  positionals: {},
  options: { dir: DIR, 'lock-wait': LOCK_WAIT, 'allow-open-key': ALLOW_OPEN_KEY, 'allow-ephemeral': ALLOW_EPHEMERAL },
  examples: [
    ['freeze -C my-log', 'appends what is waiting, then ends the log and prints its last checkpoint'],
    ['freeze -C my-log > last.txt', 'keeps that checkpoint, for the note that names a successor'],
  ],
  async run(args, { output, environment }) {
    const config = await loadConfig(args.dir, environment);
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
    output.note(`${config.origin} is frozen at size ${checkpoint.size}: nothing can be appended any more`);
    return YES;
  },
});
