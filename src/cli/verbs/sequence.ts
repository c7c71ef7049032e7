import { systemClock } from '../../clock.ts';
import { type Publication, Sequencer } from '../../sequencer/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds, SETTING_FLAGS } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { checkDaily, openDedupCache } from '../local-cache.ts';
import type { Output } from '../output.ts';
import { openQueue } from '../queue.ts';
import { listenForStop } from '../stopping.ts';
import { defineVerb } from '../verb.ts';
import { ONE_SHOT_ATTEMPTS, openForWriting, sequencerSettings } from '../writing.ts';

/** Least time between two status lines of a service, in ms. */
const STATUS_MS = 1_000;

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    once: { describe: 'append and publish what is waiting, then exit: for cron', type: 'boolean', default: false },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
    ...SETTING_FLAGS,
  },
  examples: [
    ['sequence -C my-log', 'until SIGTERM or SIGINT, which drain and publish; a second one exits at once'],
    ['sequence -C my-log --once', 'for cron: exit status 3 where another sequencer runs'],
    ['sequence -C my-log --publish.interval 1s', 'a setting of stele.yaml, for this run'],
  ],
  async run(args, { output, environment }) {
    const config = await loadConfig(args.dir, environment, args);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    using stop = listenForStop();
    const log = await openForWriting(config, {
      environment,
      allowOpenKey: args['allow-open-key'],
      allowEphemeral: args['allow-ephemeral'],
      lockWaitMs,
      verb: 'sequence',
    });
    try {
      const queue = await openQueue(config);
      const older = await openDedupCache(config, log.publicStore);
      try {
        // Beside a service, which is there to learn from what it finds; before a one-shot.
        const checking = older && noteDamage(checkDaily(config, older), output);
        if (args.once) await checking;
        const sequencer = await Sequencer.open({
          ...log,
          queue,
          ...(older && { older }),
          clock: systemClock,
          settings: sequencerSettings(config, args.once ? ONE_SHOT_ATTEMPTS : Number.POSITIVE_INFINITY),
          onPublished: args.once ? () => {} : statusLines(output),
          onRetry: (what, error, attempt) => output.note(`${what} failed (${attempt}), trying again: ${error.message}`),
        });
        output.note(`sequencing ${config.origin} from size ${sequencer.published.size}`);
        const report = args.once ? await sequencer.drain() : await sequencer.run(stop.signal);
        await sequencer
          .remember()
          .catch((error: Error) => output.note(`the dedup cache falls behind: ${error.message}`));
        const { size, appended, duplicates, refused } = report;
        output.note(`stopped at size ${size}: ${appended} appended, ${duplicates} duplicates, ${refused} refused`);
        output.result('', { size, appended, duplicates, refused });
      } finally {
        older?.close();
        await queue.close();
      }
    } finally {
      await log.close();
    }
    return YES;
  },
});

async function noteDamage(checking: Promise<boolean>, output: Output): Promise<void> {
  try {
    if (!(await checking)) output.note('the dedup cache was damaged: it is learned from the log again');
  } catch (error) {
    output.note(`the dedup cache could not be checked: ${error instanceof Error ? error.message : error}`);
  }
}

/** A line for a publication, at most one a second; a program gets all of them. */
function statusLines(output: Output): (publication: Publication) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  return ({ checkpoint: { size }, objects, bytes, latencyMs }) => {
    if (output.json) output.event('', { published: size, objects, bytes, latencyMs });
    if (performance.now() - lastMs < STATUS_MS) return;
    lastMs = performance.now();
    output.note(`published size ${size}: ${objects} objects, ${bytes} bytes, ${Math.round(latencyMs)} ms`);
  };
}
