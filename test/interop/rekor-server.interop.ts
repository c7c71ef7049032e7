/** What tiles-spec says of Rekor's server, asked of that server (rekor-tiles v2.3.0): its verdicts, its bodies, its errors. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { startRekor } from '../../bench/rekor-server.ts';
import { temporaryFolder } from '../cli/run-stele.ts';
import { PROPOSALS, requestOf } from '../entry/proposals.ts';
import { ANSWERS, tooLong } from '../server/answers.ts';
import { type Answer, ask, ENTRIES, post, proposal } from '../server/post.ts';
import { realPrograms } from './real-programs.ts';

const CHECKPOINT_MS = 100;

async function startServer(t: TestContext): Promise<{ url: string } | undefined> {
  const programs = realPrograms(t, 'rekor-server');
  if (programs === undefined) return undefined;
  const server = await startRekor(programs['rekor-server'], join(temporaryFolder(), 'rekor'), CHECKPOINT_MS);
  t.after(async () => {
    process.kill(server.pid, 'SIGKILL'); // it would take half a minute to drain
    await server.stop();
  });
  return server;
}

const bodyOf = ({ body }: Answer): string =>
  Buffer.from((JSON.parse(body.toString()) as { canonicalizedBody: string }).canonicalizedBody, 'base64').toString();

const bodyIn = (entry: string): string => PROPOSALS.entries[entry]?.body ?? assert.fail(entry);

test('proposals become on Rekor’s server what the vectors say, or are refused there, and differ where they say so', async (t) => {
  const server = await startServer(t);
  if (server === undefined) return;
  // Which this version takes no more, and answers before it looks at anything else.
  const cases = PROPOSALS.cases.filter(
    ({ request }) => !/dsse_?request/i.test(Buffer.from(requestOf(request)).toString()),
  );
  const logged = new Map<string, string>();
  const again: { id: string; entry: string; index: unknown }[] = [];
  const judge = async ({ id, request, entry, differs }: (typeof cases)[number]): Promise<void> => {
    const answer = await post(server, requestOf(request));
    const taken = answer.status === 201 || answer.status === 409;
    assert.ok(taken || answer.status === 400, `${id}: ${answer.status}`);
    assert.equal(taken, (entry !== undefined) !== (differs !== undefined), `${id}: ${answer.status} ${answer.body}`);
    // What we refuse and Rekor takes may be an entry that others make, too.
    if (answer.status === 201) {
      const body = bodyOf(answer);
      if (entry !== undefined) assert.equal(body, bodyIn(entry), id);
      assert.ok(!logged.has(body), `${id}: logged twice`);
      logged.set(body, (JSON.parse(answer.body.toString()) as { logIndex: string }).logIndex);
    } else if (answer.status === 409 && entry !== undefined) {
      again.push({ id, entry, index: answer.headers['x-log-index'] });
    }
  };
  await Promise.all(cases.map(judge));
  for (const { id, entry, index } of again) {
    assert.match(String(index), /^\d+$/, id);
    assert.equal(index, logged.get(bodyIn(entry)), `${id}: one entry, however it is sent`);
  }
  assert.ok(cases.length > 100 && logged.size > 8 && again.length > 8, `${cases.length} cases, ${logged.size} entries`);
});

test('Rekor’s server answers with the errors that rest.md says it does', async (t) => {
  const server = await startServer(t);
  if (server === undefined) return;
  const { url } = server;
  const again = proposal('again');
  const asked: Readonly<Record<string, () => Promise<Answer>>> = {
    'an entry': () => post(server, again),
    'the same entry again': () => post(server, again),
    'no JSON': () => post(server, 'x'),
    'no entry': () => post(server, '{"hashedRekordRequestV002":{}}'),
    'an entry that no bundle can hold': () => post(server, tooLong()),
    'a path that is not there': () => ask(`${url}api/v2/index/retrieve`, { method: 'POST' }, '{}'),
    'another method': () => ask(`${url}${ENTRIES}`),
    // In front, for nothing behind the object is read.
    'a request that is too large': () => post(server, JSON.stringify(proposal('x')).padStart(4 * 2 ** 20 + 1)),
  };
  for (const [what, send] of Object.entries(asked)) {
    const { upstream } = ANSWERS.find((one) => one.what === what) ?? assert.fail(what);
    const { status, headers, body } = await send();
    const { code = 0 } = JSON.parse(body.toString()) as { code?: number };
    assert.deepEqual([status, code], upstream, `${what}: ${body}`);
    if (status === 409) assert.equal(headers['x-log-index'], '0');
  }
  const read = await ask(`${url}api/v2/checkpoint`);
  assert.equal(read.status, 501, 'reads');
});
