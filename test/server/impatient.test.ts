/**
 * Clients that give up, as sigstore-js does after five seconds, and send the same bytes again, or never come back: what
 * they sent is in the log once, and they are told where.
 */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { parseLogEntry, verifyLogEntry, verifySignature } from '../../src/entry/index.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { start, steleHere } from '../cli/run-stele.ts';
import { ALL_KINDS, accept, dsseRequest, hashedRekord, type Sendable, SIGNERS, utf8 } from '../entry/proposals.ts';
import { audit, type Fault, faulty, type Operation } from '../sequencer/harness.ts';
import { newLog } from '../sigstore/served-log.ts';
import { diceOf } from '../simulator/dice.ts';
import { type Answer, eventually, post, startServer, type TestServer, verified } from './post.ts';

/** Twenty times as impatient as sigstore-js, and sooner back: it gives up after 5 s, and tries twice more, 1 and 2 s later. */
const PATIENCE_MS = 250;
const PAUSES_MS = [50, 100] as const;
/** For the try that has to be answered, where it is the machine that may be slow. */
const UNTIL_ANSWERED_MS = 10_000;

const { p256 } = SIGNERS;
const KINDS: readonly ((text: string) => Sendable)[] = [
  (text) => hashedRekord(p256, utf8(text)),
  (text) => dsseRequest(utf8(JSON.stringify({ text })), p256),
];
/** Signatures are random: what is sent again has to be the same bytes. */
const bytesOf = (request: Sendable): Uint8Array => utf8(JSON.stringify(request));
const bodyOf = async (request: Uint8Array): Promise<string> => Buffer.from((await accept(request)).body).toString();

/** Resolves to undefined once the client has hung up. */
async function tryOnce(server: { url: string }, request: Uint8Array, ms: number): Promise<Answer | undefined> {
  const signal = AbortSignal.timeout(ms);
  try {
    return await post(server, request, { signal });
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** Gives up twice; the third try is answered. */
async function comeBack(server: TestServer, request: Uint8Array): Promise<Answer | undefined> {
  for (const pauseMs of PAUSES_MS) {
    assert.equal(await tryOnce(server, request, PATIENCE_MS), undefined, 'nothing is published, nothing is answered');
    await systemClock.sleep(pauseMs);
  }
  return tryOnce(server, request, UNTIL_ANSWERED_MS);
}

/** Once each, the hashes of the tree re-derived from them. */
async function loggedOnce({ log }: TestServer): Promise<string[]> {
  const logged = (await audit(log)).map((entry) => Buffer.from(entry).toString());
  assert.equal(new Set(logged).size, logged.length, 'no entry is in the log twice');
  return logged;
}

/** What takes as long as the test likes. */
const DELAYS: readonly [what: string, slow: Operation, when: 'before' | 'after'][] = [
  ['its tiles are written late', 'createAll', 'before'],
  ['the checkpoint is written late', 'replace', 'before'],
  ['the checkpoint stands, and its writer hears of that late', 'replace', 'after'],
];

test('what a client gave up on is logged once, whether it comes back or not', { concurrency: true }, async (all) => {
  const delayed = DELAYS.map(([what, slow, when]) =>
    all.test(what, async (t) => {
      const gate = Promise.withResolvers<void>();
      t.after(() => gate.resolve());
      const fault: Fault = { [when]: () => gate.promise };
      const server = await startServer(t, {
        entries: { proposals: ALL_KINDS },
        publicStore: (real) => faulty(real, (operation) => (operation === slow ? fault : undefined)),
      });
      const stubborn = KINDS.map((make) => bytesOf(make('comes back')));
      const gone = KINDS.map((make) => bytesOf(make('does not come back')));
      const answering = stubborn.map((request) => comeBack(server, request));
      for (const request of gone) assert.equal(await tryOnce(server, request, PATIENCE_MS / 5), undefined);
      const sent = 3 * stubborn.length + gone.length;
      await eventually(() => server.queue.waiting().entries === sent, 'all tries have arrived');
      gate.resolve();

      const answers = await Promise.all(answering);
      await eventually(() => server.queue.waiting().entries === 0, 'all is published');
      const logged = await loggedOnce(server);
      assert.deepEqual(logged.toSorted(), (await Promise.all([...stubborn, ...gone].map(bodyOf))).sort());
      for (const [i, request] of stubborn.entries()) {
        const answer = answers[i];
        assert.ok(answer);
        const { index, body } = await verified(answer);
        assert.equal(logged[index], Buffer.from(body).toString());
        assert.equal(logged[index], await bodyOf(request));
      }
      for (const request of [...stubborn, ...gone]) {
        const { index } = await verified(await post(server, request));
        assert.equal(logged[index], await bodyOf(request), 'whoever asks later is told the same');
      }
      assert.deepEqual(await loggedOnce(server), logged);
      assert.deepEqual(server.told, []);
    }),
  );
  await Promise.all(delayed);
});

test('a hundred clients that hang up at any moment: each entry once, and everybody who stays is told where', async (t) => {
  const seed = Number(process.env['STELE_SEED'] ?? Date.now() % 1_000_000);
  t.diagnostic(`STELE_SEED=${seed}`);
  const dice = diceOf(seed);
  const server = await startServer(t, {
    entries: { proposals: ALL_KINDS },
    publicStore: (real) => faulty(real, () => ({ before: () => systemClock.sleep(dice.below(40)) })),
  });
  // Fewer than clients: some send the very same.
  const requests = KINDS.flatMap((make) => Array.from({ length: 35 }, (_, i) => bytesOf(make(`${i}`))));
  let hungUp = 0;
  const client = async (request: Uint8Array): Promise<Answer | undefined> => {
    for (let tries = dice.below(3); tries > 0; tries--) {
      await systemClock.sleep(dice.below(30));
      if (dice.chance(0.3)) await beginAndLeave(server, request, dice.below(request.length), dice.below(10));
      else if ((await tryOnce(server, request, dice.below(60))) !== undefined) continue;
      hungUp += 1;
    }
    return dice.chance(0.2) ? undefined : tryOnce(server, request, UNTIL_ANSWERED_MS);
  };
  const sent = Array.from({ length: 100 }, (_, i) => requests[i % requests.length] ?? new Uint8Array());
  const answers = await Promise.all(sent.map(client));
  await eventually(() => server.queue.waiting().entries === 0, 'all is published');

  const logged = await loggedOnce(server);
  const proposed = new Set(await Promise.all(requests.map(bodyOf)));
  assert.ok(logged.every((entry) => proposed.has(entry)));
  let told = 0;
  for (const [i, answer] of answers.entries()) {
    if (answer === undefined) continue;
    told += 1;
    assert.equal(logged[(await verified(answer)).index], await bodyOf(sent[i] ?? new Uint8Array()));
  }
  t.diagnostic(`${hungUp} hung up, ${told} told, ${logged.length} logged`);
  assert.ok(hungUp >= 30 && told >= 50, 'both happen often');
  assert.deepEqual(server.told, [], 'whoever leaves is no concern of the operator');
});

/** Sends the first bytes of a request, and is gone. */
async function beginAndLeave(server: TestServer, request: Uint8Array, count: number, ms: number): Promise<void> {
  const connection = server.connect();
  connection.begin(request.length);
  connection.send(request.subarray(0, count));
  await systemClock.sleep(ms);
  await connection.cut();
}

test('what clients gave up on before the server was killed is logged once by the server after it', async (t) => {
  const log = await newLog('impatient.example');
  t.after(() => rm(log.folder, { recursive: true, force: true }));
  // Committed at once, published two seconds after the publication before: in between it is neither lost nor answered.
  const slow = await serve(t, log.dir, '--publish.interval', '2s');
  const [first, committed, gone, unread] = KINDS.flatMap((make) => ['a', 'b'].map((text) => bytesOf(make(text))));
  assert.ok(first && committed && gone && unread);
  const answered = await post(slow, first);
  assert.equal(answered.status, 201);
  await Promise.all(
    [committed, gone].map(async (request) => {
      assert.equal(await tryOnce(slow, request, PATIENCE_MS), undefined);
    }),
  );
  slow.child.kill('SIGSTOP');
  assert.equal(await tryOnce(slow, unread, PATIENCE_MS), undefined);
  slow.child.kill('SIGKILL');
  await slow.ended;

  const restarted = await serve(t, log.dir);
  const verifier = parseVerifierKey(log.vkey);
  const indices: number[] = [];
  for (const request of [first, committed, unread, committed, gone]) {
    const answer = await post(restarted, request);
    assert.equal(answer.status, 201, answer.body.toString());
    const { index, body } = await verifyLogEntry(parseLogEntry(answer.body), verifier, verifySignature);
    assert.equal(Buffer.from(body).toString(), await bodyOf(request));
    indices.push(index);
  }
  // Those that were committed, in either order, before what no server had read.
  assert.deepEqual([indices[0], indices[2], indices[3]], [0, 3, indices[1]]);
  assert.deepEqual([indices[1], indices[4]].sort(), [1, 2]);
  restarted.child.kill('SIGTERM');
  assert.equal((await restarted.ended).status, 0);
  const { status, stdout } = await steleHere(['fsck', log.dir]);
  assert.equal(status, 0, stdout);
  assert.match(stdout, / 4 entries/);
});

async function serve(t: TestContext, dir: string, ...flags: readonly string[]) {
  const kinds = ['--entries.kinds', 'hashedrekord,dsse'];
  const running = start(['serve', '-C', dir, '--listen', '127.0.0.1:0', '--log-level', 'warn', ...kinds, ...flags]);
  t.after(() => running.child.kill('SIGKILL'));
  return { ...running, url: await running.said(/(http:\/\/127\.0\.0\.1:\d+\/)/) };
}
