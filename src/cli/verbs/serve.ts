import { parseListenAddress, serveLog } from '../../server/index.ts';
import { openReadableStore } from '../../store/index.ts';
import { DIR } from '../arguments.ts';
import { loadConfig, storeUrl } from '../config.ts';
import { YES } from '../exit-codes.ts';
import { listenForStop } from '../stopping.ts';
import { defineVerb } from '../verb.ts';

export default defineVerb({
  positionals: {},
  options: {
    dir: DIR,
    listen: {
      describe: 'address and port; port 0 lets the system choose',
      type: 'string',
      default: '127.0.0.1:8080',
      requiresArg: true,
    },
    public: { describe: 'let other machines connect', type: 'boolean', default: false },
  },
  examples: [
    ['serve -C my-log', 'on http://127.0.0.1:8080/, for this machine only'],
    ['serve -C my-log --listen [::]:80 --public', 'for everyone'],
  ],
  async run({ dir, listen, public: isPublic }, { output, environment }) {
    const config = await loadConfig(dir, environment);
    using stop = listenForStop();
    const server = await serveLog({
      store: openReadableStore(storeUrl(config, 'public')),
      listen: parseListenAddress(listen),
      public: isPublic,
      onError: (error, target) => output.note(`stele: GET ${target}: ${String(error)}`),
    });
    output.event(`serving ${config.origin} on ${server.url}`, { origin: config.origin, url: server.url });
    await stop.stopped;
    await server.close();
    return YES;
  },
});
