/**
 * Preloaded into the processes of `buckets.long.ts`: every request has a connection of its own, so that the share of
 * connections that a proxy cuts is the share of answers. What happens is counted as bytes appended to files in
 * STELE_COUNTS, which survive a kill.
 */

import { subscribe } from 'node:diagnostics_channel';
import { appendFileSync } from 'node:fs';
import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';

const folder = process.env['STELE_COUNTS'];

function count(name: string): void {
  if (folder !== undefined) appendFileSync(join(folder, name), '.');
}

Agent.prototype.keepSocketAlive = () => false;

subscribe('http.client.request.start', () => count('requests'));
subscribe('http.client.request.error', () => count('cut'));
subscribe('http.client.response.finish', (message) => {
  const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
  if (request.method !== 'PUT' || response.statusCode !== 200) return;
  if (request.path.includes('/journal/')) count('commits');
  if (/\/checkpoint(\?|$)/.test(request.path)) count('publications');
});
