import { type Finding, recover } from '../../sequencer/index.ts';
import { openReadableStore } from '../../store/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { NO, YES } from '../exit-codes.ts';
import { openQueue } from '../queue.ts';
import { defineVerb } from '../verb.ts';
import { openForWriting } from '../writing.ts';

const MEANING: Readonly<Record<Finding, string>> = {
  healthy: 'the stores belong together, and every entry and tile is what was signed',
  'creation-incomplete': 'this log was never begun',
  'checkpoint-lost': 'the public store has no checkpoint that this log signed',
  'private-lost': 'the private store was lost',
  'private-older': 'the private store is older than what was published',
  'public-older': 'the public checkpoint is older than what this log knows of itself',
  'journal-damaged': 'journal records are missing or damaged',
  'tiles-damaged': 'tiles or bundles are missing or damaged',
  'description-lost': 'log.json is missing from the public store, or damaged',
};

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    from: {
      describe: 'URL of a mirror: evidence of what was published, and copies of what is lost',
      type: 'string',
      requiresArg: true,
    },
    apply: { describe: 'write what is proposed', type: 'boolean', default: false },
    'accept-loss': {
      describe: 'state that commits which cannot be read were never published, and set their records aside',
      type: 'boolean',
      default: false,
    },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
  },
  examples: [
    ['recover -C my-log', 'says what is wrong, how that is known, and what would be written; writes nothing'],
    ['recover -C my-log --apply', 'writes it'],
    ['recover -C my-log --from https://mirror.example/demo/', 'with the help of a mirror'],
  ],
  async run(args, { output, environment }) {
    const config = await loadConfig(args.dir, environment);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    const log = await openForWriting(config, {
      environment,
      allowOpenKey: args['allow-open-key'],
      allowEphemeral: args['allow-ephemeral'],
      lockWaitMs,
      verb: 'recover',
    });
    try {
      const { finding, evidence, writes, size, apply } = await recover({
        ...log,
        ...(args.from !== undefined && { from: openReadableStore(args.from) }),
        acceptLoss: args['accept-loss'],
        onProgress: (progress) => output.progress(`${progress.entries} of ${progress.size} entries gone through`),
      });
      const applied = args.apply && writes.length > 0;
      if (applied) {
        await apply();
        await (await openQueue(config)).close(); // its folders may have been lost with the private store
      }
      const lines = [
        `${finding}: ${MEANING[finding]}`,
        ...evidence.map((line) => `  evidence: ${line}`),
        ...writes.map((line) => `  ${applied ? 'wrote' : 'would write'}: ${line}`),
        ...(writes.length > 0 && !applied ? ['run it again with --apply to write this'] : []),
      ];
      output.result(`${lines.join('\n')}\n`, { finding, evidence, writes, size, applied });
      return finding === 'healthy' || applied ? YES : NO;
    } finally {
      await log.close();
    }
  },
});
