/** The table of errors in tiles-spec/rest.md, row by row: status, code, headers and words, and where upstream is otherwise. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { RPC } from '../../src/server/failures.ts';
import { ANSWERS } from './answers.ts';
import { ENTRIES, entryOf, errorOf, eventually, proposal, startServer } from './post.ts';

const DOCUMENT = readFileSync(new URL('../../tiles-spec/rest.md', import.meta.url), 'utf8');

/** Of `| 400 | 3 | when | upstream |`. */
const ROWS = [...DOCUMENT.matchAll(/^\| (\d{3}) \| (\d+) \| (.*) \| ?(.*) \|$/gm)].map(
  ([, status, code, when = '', upstream = '']) => ({ status: Number(status), code: Number(code), when, upstream }),
);

for (const { what, status, code, message, headers = {}, answer } of ANSWERS) {
  const said = code === undefined ? '' : `, code ${code} and why`;
  test(`${what}: ${status}${said}`, async (t) => {
    const given = await answer(t);
    assert.equal(given.status, status, given.body.toString());
    for (const [name, value] of Object.entries(headers)) assert.match(String(given.headers[name]), value, name);
    if (code === undefined) {
      entryOf(given);
      return;
    }
    const error = errorOf(given);
    assert.equal(error.code, code);
    assert.match(error.message, message ?? /^$/);
  });
}

test('rest.md has every status and code that a submission is answered with, and no other', () => {
  const documented = new Set(ROWS.map(({ status, code }) => `${status} ${code}`));
  // Of files, which test/server/serve-log.test.ts has.
  const answered = ['412 9', '416 11', ...ANSWERS.flatMap(({ status, code }) => (code ? [`${status} ${code}`] : []))];
  assert.deepEqual([...documented].sort(), [...new Set(answered)].sort());
});

test('where upstream answers otherwise, rest.md says how', () => {
  let told = 0;
  for (const { what, status, code, upstream: [theirs, theirCode] = [status, code ?? 0] } of ANSWERS) {
    if (code === undefined || (theirs === status && theirCode === code)) continue;
    const rows = ROWS.filter((row) => row.status === status && row.code === code);
    // A code of 0: the message alone, as text.
    const named = theirCode === 0 ? /a line of text/ : new RegExp(`\\b${theirs}\\b`);
    assert.ok(
      rows.some(({ upstream }) => named.test(upstream)),
      `${what}: ${theirs}`,
    );
    told += 1;
  }
  assert.ok(told >= 6, String(told));
});

test('the headers of an answer are named in its row of rest.md', () => {
  for (const { what, status, code, headers = {} } of ANSWERS) {
    if (code === undefined) continue;
    const rows = ROWS.filter((row) => row.status === status && row.code === code).map(({ when }) => when.toLowerCase());
    for (const name of Object.keys(headers))
      assert.ok(
        rows.some((when) => when.includes(name)),
        `${what}: ${name}`,
      );
  }
});

test('codes are those of google.rpc.Code', () => {
  assert.deepEqual(RPC, {
    invalidArgument: 3,
    notFound: 5,
    alreadyExists: 6,
    resourceExhausted: 8,
    failedPrecondition: 9,
    outOfRange: 11,
    unimplemented: 12,
    internal: 13,
    unavailable: 14,
    unauthenticated: 16,
  });
});

test('a client that leaves before its answer is 499 for the operator, as upstream', async (t) => {
  const gate = Promise.withResolvers<never>();
  gate.promise.catch(() => {});
  t.after(() => gate.reject(new Error('over')));
  let asked = false;
  const server = await startServer(t, {
    writing: (real) => ({
      ...real,
      submitOne: () => {
        asked = true;
        return gate.promise;
      },
    }),
  });
  const connection = server.connect();
  const text = JSON.stringify(proposal('x'));
  connection.begin(text.length);
  connection.send(text);
  await eventually(() => asked, 'the submission waits');
  await connection.cut();
  await eventually(() => server.answered.length > 0, 'the operator is told');
  assert.deepEqual(
    server.answered.map(({ status, target }) => [status, target]),
    [[499, `/${ENTRIES}`]],
  );
  assert.match(DOCUMENT, /\b499\b/);
});

test('files, too, are refused as rest.md says: as JSON below /api/v2, elsewhere by a line of text', async (t) => {
  const server = await startServer(t);
  const failures: readonly [path: string, headers: Record<string, string>, status: number, code: number][] = [
    ['tile/0/009', {}, 404, RPC.notFound],
    ['checkpoint', { 'if-match': '"another"' }, 412, RPC.failedPrecondition],
    ['checkpoint', { range: 'bytes=99999-' }, 416, RPC.outOfRange],
  ];
  for (const [path, headers, status, code] of failures) {
    const plain = await fetch(`${server.url}${path}`, { headers });
    const json = await fetch(`${server.url}api/v2/${path}`, { headers });
    assert.deepEqual([plain.status, json.status], [status, status], path);
    assert.equal(plain.headers.get('content-type'), 'text/plain; charset=utf-8');
    assert.match(await plain.text(), /^[^{\n]+\n$/);
    const { message, ...rest } = (await json.json()) as { message: string };
    assert.deepEqual([typeof message, rest], ['string', { code, details: [] }]);
  }
});
