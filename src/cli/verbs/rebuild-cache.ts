import { SteleError } from '../../errors.ts';
import { relearn } from '../../sequencer/index.ts';
import { DIR } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { openDedupCache } from '../local-cache.ts';
import { openConfiguredLog } from '../reading.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: {},
  options: { dir: DIR },
  examples: [
    ['rebuild-cache -C my-log', 'after the cache was doubted, or copied from elsewhere; a sequencer may run meanwhile'],
    ['rebuild-cache -C my-log --json', 'prints how many entries it knows'],
  ],
  async run(args, { output, environment }) {
    const config = await loadConfig(args.dir, environment);
    const { store, verifier } = await openConfiguredLog(config, undefined, environment);
    const cache = await openDedupCache(config, store);
    if (cache === undefined) throw new SteleError('config', `dedup.cache is off in ${args.dir}: there is no cache`);
    try {
      const size = await relearn(cache, store, verifier, (covered, of) =>
        output.progress(`${covered} of ${of} entries`),
      );
      output.result(`${size} entries\n`, { entries: size });
    } finally {
      cache.close();
    }
    return YES;
  },
});
