import { SteleError } from '../../errors.ts';
import type { Publication } from '../../sequencer/index.ts';
import type { Metrics } from '../../server/index.ts';
import { ALLOW_EPHEMERAL, ALLOW_OPEN_KEY, DIR, LOCK_WAIT, parseSeconds, SETTING_FLAGS } from '../arguments.ts';
import { loadConfig } from '../config.ts';
import { YES } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { openSequencing } from '../sequencing.ts';
import { listenForStop } from '../stopping.ts';
import { defineVerb } from '../verb.ts';
import { ONE_SHOT_ATTEMPTS } from '../writing.ts';

/** Least time between two status lines of a service, in ms. */
const STATUS_MS = 1_000;

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    once: { describe: 'append and publish what is waiting, then exit: for cron', type: 'boolean', default: false },
    metrics: {
      describe:
        'serve /metrics, /healthz and /readyz, and nothing else, at this HOST:PORT; a PORT is for this machine only',
      type: 'string',
      requiresArg: true,
    },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
    ...SETTING_FLAGS,
  },
  examples: [
    ['sequence -C my-log', 'until SIGTERM or SIGINT, which drain and publish; a second one exits at once'],
    ['sequence -C my-log --once', 'for cron: exit status 3 where another sequencer runs'],
    ['sequence -C my-log --publish.interval 1s', 'a setting of stele.yaml, for this run'],
    ['sequence -C my-log --metrics 9464', 'for Prometheus, on http://127.0.0.1:9464/metrics'],
  ],
  async run(args, { output, environment }) {
    if (args.once && args.metrics !== undefined) {
      throw new SteleError('config', '--once ends before anybody asks for --metrics: drop one');
    }
    // An HTTP server and all that belongs to it: not for who runs from cron.
    const { metrics: address } = args;
    const openStatus = address && (await import('../sequencer-status.ts')).statusAt(address);
    const config = await loadConfig(args.dir, environment, args);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    using stop = listenForStop();
    const printStatus = args.once ? undefined : statusLines(output);
    let metrics: Metrics | undefined;
    await using sequencing = await openSequencing(config, {
      environment,
      allowOpenKey: args['allow-open-key'],
      allowEphemeral: args['allow-ephemeral'],
      lockWaitMs,
      verb: 'sequence',
      output,
      attempts: args.once ? ONE_SHOT_ATTEMPTS : Number.POSITIVE_INFINITY,
      onCommitted: (event) => metrics?.onCommitted(event),
      onPublished(event) {
        metrics?.onPublished(event);
        printStatus?.(event);
      },
      onRetry: (what) => metrics?.onRetry(what),
    });
    await using served = openStatus ? await openStatus(config, sequencing, stop.signal, output) : undefined;
    metrics = served?.metrics;
    const { sequencer } = sequencing;
    output.note(`sequencing ${config.origin} from size ${sequencer.published.size}`);
    const report = args.once ? await sequencer.drain() : await sequencer.run(stop.signal);
    await sequencing.remember();
    const { size, appended, duplicates, refused } = report;
    output.note(`stopped at size ${size}: ${appended} appended, ${duplicates} duplicates, ${refused} refused`);
    output.result('', { size, appended, duplicates, refused });
    return YES;
  },
});

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
