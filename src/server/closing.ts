/** Closing a server: whoever has asked is answered, whoever has not, or not in full, keeps nobody waiting. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';

/** How long a request may still take to come in full, once we close, in ms. */
const ARRIVAL_MS = 2_000;

/**
 * What closes `app`, to be made before it listens. Node by itself waits for connections that have sent nothing yet, and once
 * it closes it no longer looks after the time that requests may take.
 */
export function closer(app: FastifyInstance): () => Promise<void> {
  const { server } = app;
  const underWay = new Set<IncomingMessage>();
  let closing = false;
  const dropTheRest = (): void => {
    if (closing && underWay.size === 0) server.closeAllConnections();
  };
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    underWay.add(request);
    response.once('close', () => {
      underWay.delete(request);
      dropTheRest();
    });
  });
  return async () => {
    closing = true;
    const late = setTimeout(() => {
      for (const request of underWay) if (!request.complete) request.destroy();
    }, ARRIVAL_MS);
    try {
      const closed = app.close();
      dropTheRest();
      await closed;
    } finally {
      clearTimeout(late);
    }
  };
}
