/** Several writers on one log, step by step: what each of them does when it meets what another has done (DESIGN §5). */

import assert from 'node:assert/strict';
import test from 'node:test';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { recordKey } from '../../src/sequencer/record.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import {
  entriesFrom,
  faulty,
  indices,
  logged,
  META,
  mustGet,
  neverPublishes,
  newLog,
  openWriter,
  type TestLog,
  texts,
  utf8,
  virtualClock,
} from './harness.ts';

interface Listed {
  readonly key: string;
  readonly size: number;
  readonly modified: number;
}
async function mustList(store: ObjectStore, prefix: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  for await (const object of store.list(prefix)) listed.push(object);
  return listed;
}

test('another’s record is adopted: its entries become known, and only what it does not contain is logged behind it', async () => {
  const log = await newLog();
  const rival = await openWriter({ ...log, publicStore: faulty(log.publicStore, neverPublishes) }, { maxAttempts: 1 });
  const writer = await openWriter(log);
  await assert.rejects(rival.add(entriesFrom(0, 10)));
  assert.deepEqual(await writer.add(entriesFrom(8, 4)), [
    { index: 8, duplicate: true },
    { index: 9, duplicate: true },
    { index: 10, duplicate: false },
    { index: 11, duplicate: false },
  ]);
  assert.deepEqual(await logged(log), texts(entriesFrom(0, 12)));
});

test('a create of unknown outcome that did not happen, at a key that a rival then took, adopts the rival’s record', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let sent = 0;
  const create = async (key: string): Promise<boolean> => {
    sent += 1;
    if (sent === 1) {
      await rival.add([utf8('rival')]);
      throw new SteleError('outcome-unknown', `no answer about ${key} (planted)`);
    }
    throw new Error('unreachable');
  };
  const privateStore: ObjectStore = {
    ...log.privateStore,
    create: (...given) => (sent === 0 ? create(given[0]) : log.privateStore.create(...given)),
    stage: async (...given) => ({ create: () => privateStore.create(...given), discard: async () => {} }),
  };
  const writer = await openWriter({ ...log, privateStore });
  assert.deepEqual(indices(await writer.add([utf8('mine')])), [1]);
  assert.deepEqual(await logged(log), ['rival', 'mine']);
});

const PUBLISH_MS = 1_000;

async function idOf(log: TestLog): Promise<string> {
  const { bytes } = await mustGet(log, 'publicStore', 'log.json');
  return (JSON.parse(new TextDecoder().decode(bytes)) as { id: string }).id;
}

test('a record of another log where ours goes on is refused, in a load and in a commit, and nothing is signed', async () => {
  const [log, other] = [await newLog(), await newLog()];
  assert.notEqual(await idOf(log), await idOf(other));
  const running = await openWriter(log);
  for (const each of [log, other]) await (await openWriter(each)).add(entriesFrom(0, 3));
  await running.sequencer.drain();
  const foreign = await openWriter(
    { ...other, publicStore: faulty(other.publicStore, neverPublishes) },
    { maxAttempts: 1 },
  );
  await assert.rejects(foreign.add(entriesFrom(3, 3)));
  const { bytes } = await mustGet(other, 'privateStore', recordKey(3));
  await log.privateStore.create(recordKey(3), bytes, META);
  const before = await mustGet(log, 'publicStore', 'checkpoint');
  const isRefused = (error: unknown): boolean => {
    assert.ok(isSteleError(error, 'refused'), String(error));
    assert.match(error.message, /journal\/0000000000000003 belongs to another log .*stele recover/);
    return true;
  };
  await assert.rejects(running.add(entriesFrom(10, 1)), isRefused);
  await assert.rejects(openWriter(log), isRefused);
  assert.equal((await mustGet(log, 'publicStore', 'checkpoint')).etag, before.etag);
});

test('a journal that is listed in pages, while a rival commits, publishes and collects between them, loads as one history', async () => {
  for (let page = 1; page <= 4; page++) {
    const log = await newLog();
    const rival = await openWriter(log, { maxBatchEntries: 2 });
    // Four records, none of them published or collected: the list has pages to turn.
    for (let record = 0; record < 4; record++) {
      const unable = { ...log, publicStore: faulty(log.publicStore, neverPublishes) };
      await assert.rejects((await openWriter(unable, { maxAttempts: 1 })).add(entriesFrom(2 * record, 2)));
    }
    let turned = 0;
    const privateStore: ObjectStore = {
      ...log.privateStore,
      async *list(prefix) {
        for (let after = ''; ; ) {
          // One key a page, each page as the store is when it is asked for.
          let found: Listed | undefined;
          for (const object of await mustList(log.privateStore, prefix)) if (object.key > after) found ??= object;
          if (found === undefined) return;
          if (++turned === page) await rival.add(entriesFrom(8, 4));
          after = found.key;
          yield found;
        }
      },
    };
    const writer = await openWriter({ ...log, privateStore });
    assert.ok(turned >= page, 'the rival met the list');
    assert.deepEqual(indices(await writer.add(entriesFrom(7, 6))), [7, 8, 9, 10, 11, 12], `page ${page}`);
    assert.deepEqual(await logged(log), texts(entriesFrom(0, 13)));
  }
});

test('writers whose clocks are hours apart, and jump, take turns and take over without an entry lost or twice', async () => {
  const log = await newLog();
  const clocks = [0, 10_800_000, -10_800_000].map((offset) => {
    const clock = virtualClock();
    clock.advance(offset);
    return clock;
  });
  const writers = await Promise.all(clocks.map((clock) => openWriter(log, { publishIntervalMs: PUBLISH_MS }, clock)));
  const submitted = new Set<string>();
  for (let round = 0; round < 30; round++) {
    const entries = entriesFrom(round * 3, 5);
    for (const text of texts(entries)) submitted.add(text);
    clocks[round % 3]?.advance((round % 5) * 1_800_000 - 3_600_000);
    const answers = await Promise.all(
      [writers[round % 3], writers[(round + 1) % 3]].map((writer) => writer?.add(entries)),
    );
    assert.deepEqual(indices(answers[0] ?? []), indices(answers[1] ?? []));
  }
  assert.deepEqual((await logged(log)).toSorted(), [...submitted].toSorted());
});

test('a running writer under whose hands the public store went back refuses, and puts nothing in its place', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 300));
  const old = await mustGet(log, 'publicStore', 'checkpoint');
  await writer.add(entriesFrom(300, 10));
  await writer.add(entriesFrom(310, 10));
  const { etag } = await mustGet(log, 'publicStore', 'checkpoint');
  await log.publicStore.replace('checkpoint', old.bytes, META, etag);
  await assert.rejects(writer.add(entriesFrom(320, 1)), (error) => {
    assert.ok(isSteleError(error, 'refused'), String(error));
    assert.match(error.message, /went back in time.*stele recover/);
    return true;
  });
  assert.deepEqual((await mustGet(log, 'publicStore', 'checkpoint')).bytes, old.bytes);
});
