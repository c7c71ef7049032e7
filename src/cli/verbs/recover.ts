import { recover } from '../../sequencer/index.ts';
import { openReadableStore } from '../../store/index.ts';
import { ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { NO, YES } from '../exit-codes.ts';
import { defineVerb } from '../verb.ts';
import { openForWriting } from '../writing.ts';

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    from: { describe: 'URL of a mirror whose tiles may replace what is lost', type: 'string', requiresArg: true },
    apply: { describe: 'write what is proposed', type: 'boolean', default: false },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
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
      lockWaitMs,
      verb: 'recover',
    });
    try {
      const plan = await recover({ ...log, ...(args.from !== undefined && { from: openReadableStore(args.from) }) });
      const { finding, evidence, writes } = plan;
      const applied = args.apply && writes.length > 0;
      if (applied) await plan.apply();
      const lines = [
        finding,
        ...evidence.map((line) => `  evidence: ${line}`),
        ...writes.map((line) => `  ${applied ? 'wrote' : 'would write'}: ${line}`),
        ...(writes.length > 0 && !applied ? ['run it again with --apply to write this'] : []),
      ];
      output.result(`${lines.join('\n')}\n`, { finding, evidence, writes, applied });
      return writes.length === 0 || applied ? YES : NO;
    } finally {
      await log.close();
    }
  },
});
