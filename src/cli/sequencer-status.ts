/** `/metrics`, `/healthz` and `/readyz` of a sequencer that has its process to itself: `stele sequence --metrics`. */

import { parseListenAddress, type StatusServer, serveStatus } from '../server/index.ts';
import { openReadableStore } from '../store/index.ts';
import { type LogConfig, storeUrl } from './config.ts';
import type { Output } from './output.ts';
import type { Sequencing } from './sequencing.ts';
import { STALE_MS } from './serving.ts';

export type OpenStatus = (
  config: LogConfig,
  sequencing: Pick<Sequencing, 'sequencer' | 'waiting'>,
  stopping: AbortSignal,
  output: Output,
) => Promise<StatusServer>;

/**
 * What serves them at `HOST:PORT`, or at a port for this machine only, until it is disposed of. Throws `config` for what is no
 * such address; what it returns, for one that cannot be listened on.
 */
export function statusAt(address: string): OpenStatus {
  const listen = parseListenAddress(/^\d+$/.test(address) ? `127.0.0.1:${address}` : address);
  return async (config, { sequencer, waiting }, stopping, output) => {
    const server = await serveStatus({
      listen,
      store: openReadableStore(storeUrl(config, 'public')),
      writing: {
        waiting,
        published: () => sequencer.published,
        trouble: () => (stopping.aborted ? 'the sequencer is stopping' : undefined),
      },
      staleMs: config.server?.stale ?? STALE_MS,
      onError: (error) => output.note(`a question about the sequencer failed: ${error}`),
    });
    output.note(`metrics on ${server.url}metrics`);
    return server;
  };
}
