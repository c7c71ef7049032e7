/** Who publishes what several writers have committed: its author, or another; swaps that are lost; lines that are merged. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { SteleError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/note/index.ts';
import type { Cosign } from '../../src/sequencer/index.ts';
import { recordKey } from '../../src/sequencer/record.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import {
  entriesFrom,
  type Fault,
  faulty,
  indices,
  logged,
  META,
  mustGet,
  neverPublishes,
  newLog,
  type Operation,
  ORIGIN,
  once,
  openWriter,
  storedCheckpoint,
  type TestLog,
  texts,
  utf8,
  verifier,
  virtualClock,
} from './harness.ts';
import { steppedClock } from './stepped-clock.ts';

const PUBLISH_MS = 1_000;

/** A log with a record that nobody has published, and a writer that opened it before there was one. */
async function unpublished(
  clock: Clock,
  plan: (operation: Operation, key: string) => Fault = () => undefined,
): Promise<{
  log: TestLog;
  writer: Awaited<ReturnType<typeof openWriter>>;
  calls: { at: number; call: string }[];
}> {
  const log = await newLog();
  const calls: { at: number; call: string }[] = [];
  const noting = (operation: Operation, key: string): Fault => {
    calls.push({ at: clock.now(), call: `${operation} ${key}` });
    return plan(operation, key);
  };
  const stores = { publicStore: faulty(log.publicStore, noting), privateStore: faulty(log.privateStore, noting) };
  const writer = await openWriter(stores, { publishIntervalMs: PUBLISH_MS }, clock);
  const dead = await openWriter({ ...log, publicStore: faulty(log.publicStore, neverPublishes) }, { maxAttempts: 1 });
  await assert.rejects(dead.add(entriesFrom(0, 3)));
  calls.length = 0;
  return { log, writer, calls };
}

test('publication is taken over two intervals after the other’s record was first seen, by the writer’s own clock', async () => {
  for (const offsetMs of [0, -7_200_000, 7_200_000]) {
    const clock = steppedClock(offsetMs);
    const { log, writer, calls } = await unpublished(clock);
    assert.deepEqual(indices(await clock.run(writer.add(entriesFrom(0, 3)))), [0, 1, 2]);
    const seen = calls.find(({ call }) => call === `get ${recordKey(0)}`)?.at;
    const swapped = calls.find(({ call }) => call === 'replace checkpoint')?.at;
    assert.equal((swapped ?? 0) - (seen ?? 0), 2 * PUBLISH_MS);
    assert.deepEqual(await logged(log), texts(entriesFrom(0, 3)));
  }
});

test('what somebody else has published meanwhile is not taken over: one read tells, and nothing is written', async () => {
  const clock = steppedClock();
  const { log, writer, calls } = await unpublished(clock);
  clock.at(PUBLISH_MS, () => void openWriter(log).then((author) => author.sequencer.drain()));
  assert.deepEqual(indices(await clock.run(writer.add(entriesFrom(0, 3)))), [0, 1, 2]);
  const later = calls.filter(({ at, call }) => at - clock.now() === 0 && /checkpoint|tile|createAll/.test(call));
  assert.deepEqual(
    later.map(({ call }) => call),
    ['get checkpoint'],
  );
});

test('of a log that went on beyond what was to be taken over nothing is written, either', async () => {
  const clock = steppedClock();
  const { log, writer, calls } = await unpublished(clock);
  clock.at(PUBLISH_MS, () => void openWriter(log).then((author) => author.add(entriesFrom(3, 300))));
  assert.deepEqual(indices(await clock.run(writer.add(entriesFrom(0, 3)))), [0, 1, 2]);
  assert.deepEqual(
    calls.filter(({ call }) => /^(createAll|replace)/.test(call)),
    [],
  );
});

test('commits that tell of later publications, while the read before taking over is under way, leave nothing to publish', async () => {
  const clock = steppedClock();
  const stop = new AbortController();
  const turns = async (): Promise<void> => {
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const due = clock.now() + 2 * PUBLISH_MS;
  const after = async (): Promise<void> => {
    for (const from of [3, 4]) {
      void writer.queue.submit(entriesFrom(from, 1)).catch(() => {});
      await turns();
      if (from === 3) await (await openWriter(log)).sequencer.drain();
    }
    assert.equal(writer.sequencer.published.size, 4);
  };
  const plan = once((operation, key) => operation === 'get' && key === 'checkpoint' && clock.now() === due, { after });
  const { log, writer } = await unpublished(clock, plan);
  const running = writer.sequencer.run(stop.signal);
  assert.deepEqual(indices((await clock.run(writer.queue.submit(entriesFrom(0, 3)))).outcomes), [0, 1, 2]);
  stop.abort();
  assert.equal((await clock.run(running)).size, 5);
  assert.deepEqual(await logged(log), texts(entriesFrom(0, 5)));
});

test('a swap that is lost to a rival who published less, on our history, is made against what stands there then', async () => {
  const log = await newLog();
  const clock = steppedClock();
  const second = recordKey(6);
  const hidden: ObjectStore = {
    ...log.privateStore,
    get: (key, options) => (key === second ? Promise.resolve(undefined) : log.privateStore.get(key, options)),
    async *list(prefix) {
      for await (const object of log.privateStore.list(prefix)) if (object.key !== second) yield object;
    },
  };
  // Of two records the writer is about to publish both; a rival, who has seen the first only, publishes that.
  const before = async (): Promise<void> => {
    await (await openWriter({ ...log, privateStore: hidden })).sequencer.drain();
    assert.equal((await storedCheckpoint(log)).size, 6);
  };
  let swaps = 0;
  const publicStore = faulty(log.publicStore, (operation) =>
    operation === 'replace' && swaps++ === 1 ? { before } : undefined,
  );
  const settings = { maxBatchEntries: 5, publishIntervalMs: PUBLISH_MS };
  const writer = await openWriter({ ...log, publicStore }, settings, clock);
  await clock.run(writer.add(entriesFrom(0, 1)));
  assert.deepEqual(indices(await clock.run(writer.add(entriesFrom(1, 10)))), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assert.equal(swaps, 3, 'the first entry’s, the lost one, and the one that was made again');
  assert.deepEqual(await logged(log), texts(entriesFrom(0, 11)));
});

/** A witness whose every cosignature is another line, as those with a time in them are. */
function witness(name: string): { cosign: Cosign; lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    async cosign(note) {
      const line = `— ${name} ${Buffer.from(`key ${name} ${lines.length}`.padEnd(40)).toString('base64')}\n`;
      lines.push(line);
      return new Uint8Array([...note, ...utf8(line)]);
    },
  };
}

test('two writers who publish the same tree with different witnesses leave the lines of both, and one of the log’s own', async () => {
  const log = await newLog();
  const [one, two] = [witness('one.example/w'), witness('two.example/w')];
  const rival = async (): Promise<void> => {
    const other = await openWriter(log, {}, virtualClock(), { cosign: two.cosign });
    await other.sequencer.drain();
  };
  const plan = once((operation) => operation === 'replace', { before: rival });
  const stores = { ...log, publicStore: faulty(log.publicStore, plan) };
  const writer = await openWriter(stores, {}, virtualClock(), { cosign: one.cosign });
  await writer.add(entriesFrom(0, 3));
  const { bytes } = await mustGet(log, 'publicStore', 'checkpoint');
  const text = new TextDecoder().decode(bytes);
  assert.deepEqual(
    text
      .split('\n')
      .filter((line) => line.startsWith('— '))
      .map((line) => line.split(' ')[1]),
    [ORIGIN, 'two.example/w', 'one.example/w'],
  );
  assert.equal(openCheckpoint(bytes, verifier).size, 3);
  assert.equal((await openWriter(log)).sequencer.published.size, 3);
});

test('a swap whose answer is lost, and whose lines a rival then merged with its own, is not made a second time', async () => {
  const log = await newLog();
  const [one, two] = [witness('one.example/w'), witness('two.example/w')];
  const after = async (): Promise<void> => {
    const other = await openWriter(log, { republishMs: 1 }, virtualClock(), { cosign: two.cosign });
    const found = await mustGet(log, 'publicStore', 'checkpoint');
    const merged = new Uint8Array([...found.bytes, ...(await two.cosign(utf8(''), new AbortController().signal))]);
    await log.publicStore.replace('checkpoint', merged, META, found.etag);
    void other;
    throw new SteleError('outcome-unknown', 'the answer was lost (planted)');
  };
  const publicStore = faulty(
    log.publicStore,
    once((operation) => operation === 'replace', { after }),
  );
  const writer = await openWriter({ ...log, publicStore }, {}, virtualClock(), { cosign: one.cosign });
  await writer.add(entriesFrom(0, 3));
  const text = new TextDecoder().decode((await mustGet(log, 'publicStore', 'checkpoint')).bytes);
  assert.ok(text.includes(one.lines[0] ?? '?') && text.includes(two.lines[0] ?? '?'), text);
  assert.equal(publicStore.calls.filter((call) => call.startsWith('replace')).length, 1);
});
