/** What a queue on NATS does with a real server: beyond the contract of every queue, which is in nats-contract. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/clock.ts';
import { BusyError, isSteleError } from '../../src/errors.ts';
import {
  encodeSubmission,
  openNatsQueue,
  openNatsSubmitter,
  parseNatsUrl,
  type QueueItem,
  readNatsState,
  type SubmissionQueue,
  submissionId,
} from '../../src/queue/index.ts';
import { entriesOf as entriesIn } from '../../src/tiles/index.ts';
import { answersFor, entriesOf, MIB, receiveAll, take, text, textOf } from '../queue/queue-fixture.ts';
import { type NatsUnderTest, natsQueue } from './nats-fixture.ts';
import { realPrograms } from './real-programs.ts';
import { type NatsServer, setEnvironment, startNats } from './servers.ts';

const forever = new AbortController().signal;
const soon = { timeoutMs: 10_000, clock: systemClock, signal: forever };
const now = { ...soon, timeoutMs: 0 };
const SECOND = 1e9;

const folder = await mkdtemp(join(tmpdir(), 'stele-nats-'));
const servers: NatsServer[] = [];
let shared: Promise<NatsServer> | undefined;
after(async () => {
  for (const server of servers) await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A server of the test's own, in a folder of its own; undefined: it cannot run here. */
async function start(t: TestContext, config: readonly string[] = []): Promise<NatsServer | undefined> {
  const programs = realPrograms(t, 'nats-server');
  if (programs === undefined) return undefined;
  const server = await startNats(programs['nats-server'], join(folder, String(servers.length)), config);
  servers.push(server);
  return server;
}

/** A queue on the server that tests share: with its usual max_payload of 1 MiB. */
async function make(t: TestContext, maxBytes?: number): Promise<NatsUnderTest | undefined> {
  shared ??= realPrograms(t, 'nats-server') === undefined ? undefined : (start(t) as Promise<NatsServer>);
  return shared === undefined ? undefined : natsQueue(t, (await shared).natsUrl, maxBytes);
}

/** Changes the consumer as an operator would. */
async function configure(made: NatsUnderTest, change: { ack_wait?: number; max_ack_pending?: number }): Promise<void> {
  await made.jsm.consumers.update(made.place.stream, 'sequencers', change);
}

test('what a sequencer took and did not answer goes to another one when it shows no sign of life (CRASH-5)', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  await configure(made, { ack_wait: SECOND });
  const submitter = await made.openSubmitter();
  await submitter.submit([text('a')]);
  // One that takes it and is gone, without a word.
  const { stream } = made.place;
  await made.connection.request(`$JS.API.CONSUMER.MSG.NEXT.${stream}.sequencers`, '', {
    noMux: true,
    timeout: 5_000,
  });
  const other = await made.open();
  assert.deepEqual(await other.receive(MIB), []);
  const began = performance.now();
  while (true) {
    await other.wait(forever);
    const items = await other.receive(MIB);
    if (items.length === 0) continue;
    assert.deepEqual(entriesOf(items), [['a']]);
    break;
  }
  assert.ok(performance.now() - began < 8_000, 'it was sent, and not found by the poll of ten seconds');
});

test('what a sequencer works on stays with it, and it is not delivered to it twice', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  await configure(made, { ack_wait: SECOND });
  const submitter = await made.openSubmitter();
  const [name = ''] = await submitter.submit([text('a')]);
  const [one, other] = [await made.open(), await made.open()];
  const items = await one.receive(MIB);
  assert.equal(items.length, 1);
  for (let i = 0; i < 7; i++) {
    await sleep(500);
    assert.deepEqual(await other.receive(MIB), []);
    assert.deepEqual(await one.receive(MIB), []);
  }
  await one.answer(answersFor(items));
  assert.equal((await submitter.waitForReceipt(name, now)).treeSize, 1);
  assert.deepEqual(await made.messages(), []);
});

test('what a sequencer does not answer for very long is given to another, too, and answered once and again', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  await configure(made, { ack_wait: SECOND / 2 });
  const submitter = await made.openSubmitter();
  const [name = ''] = await submitter.submit([text('a')]);
  const one = await made.open();
  const items = await one.receive(MIB);
  const other = await made.open();
  const began = performance.now();
  let taken: QueueItem[] = [];
  while (taken.length === 0) {
    await other.wait(forever);
    taken = await other.receive(MIB);
  }
  const tookMs = performance.now() - began;
  assert.ok(tookMs > 2_000 && tookMs < 8_000, `${tookMs} ms`);
  await other.answer(answersFor(taken));
  await one.answer(
    items.map((item) => ({ item, receipt: { outcomes: [{ index: 0, duplicate: true }], treeSize: 5 } })),
  );
  assert.equal((await submitter.waitForReceipt(name, now)).treeSize, 5);
  assert.deepEqual(await made.messages(), []);
  assert.deepEqual(await receiveAll(other), []);
});

test('sequencers share the items, and each item is with one of them', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  const submitter = await made.openSubmitter();
  for (let i = 0; i < 600; i++) await submitter.submit([text(String(i))]);
  const queues = [await made.open(), await made.open()];
  const taken: QueueItem[][] = [[], []];
  for (let i = 0; i < 6; i++) taken[i % 2]?.push(...(await (queues[i % 2] as SubmissionQueue).receive(MIB)));
  const all = taken.flat().map(({ entries }) => textOf(entriesIn(entries)[0] ?? text('')));
  assert.equal(new Set(all).size, 600);
  assert.equal(all.length, 600);
  for (const items of taken) assert.ok(items.length > 0);
});

test('who waits for items, and who waits for a receipt, is woken, and does not poll', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  const submitter = await made.openSubmitter();
  const queue = await made.open({ now: Date.now, sleep: () => new Promise(() => {}) });
  assert.deepEqual(await queue.receive(MIB), []);
  for (const entry of ['a', 'b']) {
    const waited = queue.wait(forever);
    const [name = ''] = await submitter.submit([text(entry)]);
    await waited;
    const items = await queue.receive(MIB);
    assert.deepEqual(entriesOf(items), [[entry]]);
    const began = performance.now();
    const receipt = submitter.waitForReceipt(name, soon);
    await sleep(100);
    await queue.answer(answersFor(items));
    await receipt;
    assert.ok(performance.now() - began < 2_000, 'it looks every five seconds');
  }
});

test('equal submissions of several submitters are one message with one answer, as the broker knows their id', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  const submitters = [await made.openSubmitter(), await made.openSubmitter(), await made.openSubmitter()];
  const names = await Promise.all(submitters.map((submitter) => submitter.submit([text('a'), text('b')])));
  assert.equal(new Set(names.flat()).size, 1);
  const id = submissionId(encodeSubmission([text('a'), text('b')]));
  assert.deepEqual(
    (await made.messages()).map(({ messageId }) => messageId),
    [id],
  );
  const queue = await made.open();
  const refusal = { outcomes: [{ refused: 'x' }, { refused: 'y' }], treeSize: 0 };
  await queue.answer((await queue.receive(MIB)).map((item) => ({ item, receipt: refusal })));
  // After a refusal they are taken once more, and once.
  const again = await Promise.all(submitters.map((submitter) => submitter.submit([text('a'), text('b')])));
  assert.equal(new Set(again.flat()).size, 1);
  assert.notEqual(again[0]?.[0], names[0]?.[0]);
  await queue.answer(answersFor(await take(queue)));
  for (const submitter of submitters) {
    assert.equal((await submitter.waitForReceipt(again[0]?.[0] ?? '', now)).treeSize, 2);
  }
});

test('a message that is no submission is set aside with the reason, answered, and never delivered again', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  const submitter = await made.openSubmitter();
  await submitter.submit([text('before')]);
  const good = encodeSubmission([text('other id')]);
  const bad: readonly [Uint8Array, string | undefined, RegExp][] = [
    [text('hello\n'), undefined, /do not start as a submission does/],
    [new Uint8Array(0), undefined, /do not start/],
    [good, 'something else', /Nats-Msg-Id is not its SHA-256/],
    [new Uint8Array(MIB - 64), undefined, /do not start.*cut from 1048512 bytes/],
  ];
  const seqs: number[] = [];
  for (const [bytes, id] of bad) seqs.push(await made.publish(bytes, id));
  await submitter.submit([text('after')]);

  const queue = await made.open();
  const items = await receiveAll(queue);
  assert.deepEqual(entriesOf(items), [['before'], ['after']]);
  assert.equal((await made.messages()).length, 2, 'those that were bad are gone');
  const { stream } = made.place;
  for (const [i, [bytes, , why]] of bad.entries()) {
    const aside = await made.jsm.streams.getMessage(`${stream}-bad`, { seq: i + 1 });
    assert.ok(aside);
    assert.match(aside.header.get('Stele-Reason'), why);
    assert.deepEqual(Buffer.from(aside.data), Buffer.from(bytes.subarray(0, MIB - 4_096)));
    const name = `${String(seqs[i]).padStart(16, '0')}-${submissionId(bytes)}`;
    assert.equal(aside.header.get('Stele-Item'), name);
    const { outcomes } = await submitter.waitForReceipt(name, now);
    assert.ok(outcomes[0] && 'refused' in outcomes[0] && /set it aside/.test(outcomes[0].refused));
  }
  assert.deepEqual(await readNatsState(made.place).then((state) => [state?.waiting, state?.aside]), [2, 4]);
  await queue.answer(answersFor(items));
  assert.deepEqual(await receiveAll(await made.open()), []);
});

test('items are split so that they fit the messages of a server, and what cannot fit is a limit error', async (t) => {
  const server = await start(t, ['max_payload: 32KB']);
  if (server === undefined) return;
  const made = await natsQueue(t, server.natsUrl);
  const submitter = await made.openSubmitter();
  await assert.rejects(
    submitter.submit([text('a'), new Uint8Array(40_000)]),
    (error) => isSteleError(error, 'limit') && /max_payload/.test(error.message),
  );
  assert.deepEqual(await made.messages(), []);
  const entries = Array.from({ length: 3_000 }, (_, i) => text(`${i} ${'x'.repeat(i % 90)}`));
  const names = await submitter.submit(entries);
  assert.ok(names.length >= 6);
  const queue = await made.open();
  const items = await receiveAll(queue);
  assert.deepEqual(entriesOf(items).flat(), entries.map(textOf));
  // The longest of receipts have to fit, too.
  const refused = 'z'.repeat(300);
  await queue.answer(
    items.map((item) => ({
      item,
      receipt: { outcomes: entriesIn(item.entries).map(() => ({ refused })), treeSize: 0 },
    })),
  );
  for (const [i, name] of names.entries()) {
    assert.equal((await submitter.waitForReceipt(name, now)).outcomes.length, items[i]?.entries.length);
  }
});

test('a full queue turns submitters away as busy, and takes more when something was answered (LOAD)', async (t) => {
  const made = await make(t, 32 * MIB);
  if (made === undefined) return;
  const submitter = await made.openSubmitter();
  const block = (i: number): Uint8Array[] =>
    Array.from({ length: 15 }, (_, k) => text(`${i} ${k} ${'x'.repeat(60_000)}`));
  let stored = 0;
  await assert.rejects(
    async () => {
      for (; stored < 100; stored++) await submitter.submit(block(stored));
    },
    (error) => error instanceof BusyError && error.retryAfterMs > 0 && /is full/.test(error.message),
  );
  assert.ok(stored > 30 && stored < 40, `${stored}`);
  const queue = await made.open();
  const items = await queue.receive(4 * MIB);
  assert.equal(items.length, 4);
  await queue.answer(answersFor(items));
  await submitter.submit(block(stored));
  assert.equal((await made.messages()).length, stored - 3);
});

test('sequencers are given no more than max_ack_pending together, until they answer', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  await configure(made, { max_ack_pending: 5 });
  const submitter = await made.openSubmitter();
  for (let i = 0; i < 12; i++) await submitter.submit([text(String(i))]);
  const queue = await made.open();
  const first = await receiveAll(queue);
  assert.equal(first.length, 5);
  await queue.answer(answersFor(first.slice(0, 3)));
  assert.equal((await receiveAll(queue)).length, 3);
});

test('a server that is restarted loses nothing: submitters and sequencers go on by themselves (FAULT)', async (t) => {
  const server = await start(t);
  const programs = realPrograms(t, 'nats-server');
  if (server === undefined || programs === undefined) return;
  const made = await natsQueue(t, server.natsUrl);
  const submitter = await made.openSubmitter();
  const queue = await made.open();
  const [before = ''] = await submitter.submit([text('before')]);
  const [taken = ''] = await submitter.submit([text('taken')]);
  await queue.answer(answersFor((await queue.receive(1)) as QueueItem[]));
  const held = await queue.receive(1);
  assert.deepEqual(entriesOf(held), [['taken']]);

  await server.stop();
  await assert.rejects(queue.receive(MIB), (error) => isSteleError(error, 'unreachable'));
  await assert.rejects(queue.answer(answersFor(held)), (error) => isSteleError(error, 'unreachable'));
  await assert.rejects(submitter.waitForReceipt(before, now), (error) => isSteleError(error, 'busy'));
  const waited = queue.wait(forever);
  const during = submitter.submit([text('during')]);
  await sleep(1_000);
  const again = await startNats(
    programs['nats-server'],
    join(folder, String(servers.indexOf(server))),
    [],
    server.natsUrl,
  );
  servers.push(again);

  const [name = ''] = await during;
  await waited;
  const items = await receiveAll(queue);
  assert.deepEqual(entriesOf(items), [['during']], 'what was held is still held, and is not delivered twice');
  await queue.answer(answersFor([...held, ...items], 1));
  assert.deepEqual(await made.messages(), []);
  assert.equal((await submitter.waitForReceipt(before, now)).treeSize, 1, 'receipts outlive a restart');
  assert.equal((await submitter.waitForReceipt(taken, now)).treeSize, 2);
  assert.equal((await submitter.waitForReceipt(name, now)).treeSize, 3);
});

test('without an answer from any server it is unreachable, and nothing was submitted', async (t) => {
  const server = await start(t);
  if (server === undefined) return;
  const made = await natsQueue(t, server.natsUrl);
  const submitter = await made.openSubmitter();
  const nowhere = parseNatsUrl(`${server.natsUrl}/nowhere`);
  const lost = await openNatsSubmitter(nowhere, { now: Date.now, sleep: async () => {} });
  t.after(() => lost.close());
  await assert.rejects(
    lost.submit([text('a')]),
    (error) => isSteleError(error, 'unreachable') && /stele sequence/.test(error.message),
  );
  assert.equal(await readNatsState(nowhere), undefined);
  await server.stop();
  // Until the end of the connection is noticed, what was sent may have been stored.
  await sleep(200);
  await assert.rejects(submitter.submit([text('a')]), (error) => isSteleError(error, 'unreachable'));
  await assert.rejects(openNatsSubmitter(made.place, systemClock), (error) => isSteleError(error, 'unreachable'));
});

test('a stream that is no queue is refused, and left as it is', async (t) => {
  const made = await make(t);
  if (made === undefined) return;
  const name = `${made.place.stream}-other`;
  await made.jsm.streams.add({ name, subjects: [`${name}.new`] });
  const other = { ...made.place, stream: name };
  await assert.rejects(
    openNatsQueue(other, { clock: systemClock }),
    (error) => isSteleError(error, 'config') && /retention of stream/.test(error.message),
  );
  await assert.rejects(
    openNatsQueue({ ...made.place, replicas: 3 }, { clock: systemClock }),
    (error) => isSteleError(error, 'config') && /num_replicas of stream .* is 1, not 3/.test(error.message),
  );
});

test('a submitter needs no more rights than the manual says, and who has none is told so without the password', async (t) => {
  const may = ['log.new', '$JS.API.DIRECT.GET.log-done.>'];
  const server = await start(t, [
    'authorization { users: [',
    '  { user: sequencer, password: first }',
    `  { user: submitter, password: second, permissions: {
        publish: ${JSON.stringify(may)}, subscribe: ["_INBOX.>", "log.done.>"] } }`,
    '] }',
  ]);
  if (server === undefined) return;
  const place = parseNatsUrl(`${server.natsUrl}/log?max-bytes=33554432`);
  setEnvironment(t, { NATS_USER: 'sequencer', NATS_PASSWORD: 'first' });
  const queue = await openNatsQueue(place, { clock: systemClock });
  t.after(() => queue.close());
  setEnvironment(t, { NATS_USER: 'submitter', NATS_PASSWORD: 'second' });
  const submitter = await openNatsSubmitter(place, systemClock);
  t.after(() => submitter.close());
  const [name = ''] = await submitter.submit([text('a')]);
  await queue.answer(answersFor(await queue.receive(MIB)));
  assert.equal((await submitter.waitForReceipt(name, soon)).treeSize, 1);
  assert.deepEqual(await submitter.submit([text('a')]), [name]);

  const elsewhere = await openNatsSubmitter({ ...place, stream: 'other' }, systemClock);
  t.after(() => elsewhere.close());
  await assert.rejects(
    elsewhere.submit([text('a')]),
    (error) => isSteleError(error, 'config') && /no permission.*other\.new/.test(error.message),
  );
  await assert.rejects(openNatsQueue(place, { clock: systemClock }), (error) => isSteleError(error, 'config'));
  setEnvironment(t, { NATS_PASSWORD: 'n0t-right' });
  await assert.rejects(
    openNatsSubmitter(place, systemClock),
    (error) => isSteleError(error, 'config') && !error.message.includes('n0t-right'),
  );
  setEnvironment(t, { NATS_CREDS: join(folder, 'no-such.creds') });
  await assert.rejects(
    openNatsSubmitter(place, systemClock),
    (error) => isSteleError(error, 'config') && /NATS_CREDS/.test(error.message),
  );
});
