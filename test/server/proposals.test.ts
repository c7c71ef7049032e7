/** Every proposal of tiles-spec/vectors/proposals.json over HTTP: logged as the vector says, or 400 with the reason. */

import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { test } from 'node:test';
import { RPC } from '../../src/server/failures.ts';
import { ALL_KINDS, base64, PROPOSALS, requestOf, utf8 } from '../entry/proposals.ts';
import { entryOf, errorOf, post, startServer } from './post.ts';

/** What requests are labelled as; upstream does not look at it, and neither does this server. */
const CONTENT_TYPES = ['application/json', 'text/plain', 'application/x-www-form-urlencoded', 'nonsense'];

test('each proposal of the vectors is answered with its entry, or with 400, code 3 and why, whatever its Content-Type', async (t) => {
  const server = await startServer(t, { entries: { proposals: ALL_KINDS } });
  const agent = new Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  const indices = new Map<string, string>();
  for (const [i, { id, request, entry, says = '' }] of PROPOSALS.cases.entries()) {
    const headers = { 'content-type': CONTENT_TYPES[i % CONTENT_TYPES.length] };
    const answer = await post(server, requestOf(request), { agent, headers });
    if (entry === undefined) {
      const { code, message } = errorOf(answer);
      assert.deepEqual([answer.status, code], [400, RPC.invalidArgument], id);
      assert.ok(message.includes(says), `${id}: ${message}`);
      continue;
    }
    const { logIndex, canonicalizedBody } = entryOf(answer);
    assert.equal(canonicalizedBody, base64(utf8(PROPOSALS.entries[entry]?.body ?? '')), id);
    assert.equal(logIndex, indices.get(entry) ?? String(indices.size), `${id}: one entry, however it is sent`);
    indices.set(entry, logIndex);
  }
  assert.equal((await server.reader.checkpoint()).size, Object.keys(PROPOSALS.entries).length);
  assert.deepEqual(server.told, []);
});
