import { type Logger, pino } from 'pino';
import { SteleError } from '../../errors.ts';
import { type LogServer, parseListenAddress, type ServeLogOptions, serveLog } from '../../server/index.ts';
import { openReadableStore } from '../../store/index.ts';
import {
  ALLOW_EPHEMERAL,
  ALLOW_OPEN_KEY,
  DIR,
  LOCK_WAIT,
  parseSeconds,
  SERVER_SETTING_FLAGS,
  SETTING_FLAGS,
} from '../arguments.ts';
import { loadConfig, storeUrl } from '../config.ts';
import { YES } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { entriesService, openQueueBackend, openSequencerBackend } from '../serving.ts';
import { listenForStop } from '../stopping.ts';
import { loadTokens } from '../tokens-file.ts';
import { defineVerb } from '../verb.ts';

const LISTEN = '127.0.0.1:8080';

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    listen: {
      describe: `address and port; port 0 lets the system choose (default: ${LISTEN})`,
      type: 'string',
      requiresArg: true,
    },
    public: { describe: 'let other machines connect, and write without a token', type: 'boolean', default: false },
    'no-sequencer': {
      describe: "submit to the log's queue, which a sequencer elsewhere empties: no key, no lock",
      type: 'boolean',
      default: false,
    },
    'read-only': { describe: 'serve the public files and take no entries', type: 'boolean', default: false },
    'log-level': {
      describe: 'what to log on stderr, as JSON: debug adds reads',
      choices: ['debug', 'info', 'warn', 'error', 'silent'],
      default: 'info',
      requiresArg: true,
    },
    'lock-wait': LOCK_WAIT,
    'allow-open-key': ALLOW_OPEN_KEY,
    'allow-ephemeral': ALLOW_EPHEMERAL,
    ...SETTING_FLAGS,
    ...SERVER_SETTING_FLAGS,
  },
  examples: [
    ['serve -C my-log', 'server and sequencer on http://127.0.0.1:8080/, for this machine only'],
    ['serve -C my-log --listen [::]:80 --public', 'for everyone, who may also write; see server.tokens'],
    ['serve -C my-log --no-sequencer', 'one of many front ends before the same queue'],
    ['serve -C my-log --read-only', "the log's files, beside a sequencer that runs elsewhere"],
  ],
  async run(args, { output, environment }) {
    const readOnly = args['read-only'];
    if (readOnly && args['no-sequencer']) {
      throw new SteleError('config', '--read-only takes no entries, so there is nothing to put into a queue: drop one');
    }
    const config = await loadConfig(args.dir, environment, args);
    const lockWaitMs = parseSeconds('--lock-wait', args['lock-wait']);
    const log = pino({ level: args['log-level'] }, { write: (line: string) => output.note(line.trimEnd()) });
    const listen = parseListenAddress(args.listen ?? config.server?.listen ?? LISTEN);
    const tokens = readOnly ? undefined : await loadTokens(config, environment);
    const served = {
      store: openReadableStore(storeUrl(config, 'public')),
      listen,
      public: args.public || config.server?.public === true,
      trustedProxies: config.server?.trustedProxies ?? [],
      ...requestLog(log),
    };
    using stop = listenForStop();
    if (readOnly) {
      const server = await serveLog(served);
      announce(output, config.origin, server);
      await stop.stopped;
      await server.close();
      return YES;
    }

    let server: LogServer | undefined;
    await using backend = args['no-sequencer']
      ? await openQueueBackend(config)
      : await openSequencerBackend(config, {
          environment,
          allowOpenKey: args['allow-open-key'],
          allowEphemeral: args['allow-ephemeral'],
          lockWaitMs,
          verb: 'serve',
          output: { ...output, note: (text) => log.warn(text) },
          metrics: () => server?.metrics,
        });
    await using entries = await entriesService(config, backend, listen, tokens, environment);
    server = await serveLog({ ...served, entries });
    announce(output, config.origin, server);
    try {
      await Promise.race([stop.stopped, backend.ended]);
    } finally {
      // Whoever waits for a publication gets it: the sequencer runs until the last request is answered.
      await server.close();
    }
    await backend.stop();
    return YES;
  },
});

function announce(output: Output, origin: string, { url }: LogServer): void {
  output.event(`serving ${origin} on ${url}`, { origin, url });
}

/** Requests and failures as lines of JSON, on stderr. */
function requestLog(log: Logger): Pick<ServeLogOptions, 'onError' | 'onAnswered'> {
  return {
    onError: (error, target, id) => log.error({ id, target, err: error }, 'a request failed'),
    onAnswered({ status, method, ...request }) {
      const read = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
      const line = { ...request, ms: Math.round(request.ms * 10) / 10, method, status };
      if (status >= 500) log.warn(line, 'answered');
      else if (read) log.debug(line, 'answered');
      else log.info(line, 'answered');
    },
  };
}
