/** Moments at which a rival, a slow answer or a lost one met the writer in the middle of something. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { hashLeaf, rootOf } from '../../src/merkle/index.ts';
import { DIRECTORY_SETTINGS, initLog, Sequencer } from '../../src/sequencer/index.ts';
import { encodeRecord, recordKey } from '../../src/sequencer/record.ts';
import { Wakeup } from '../../src/sequencer/wakeup.ts';
import { metaFor, type ObjectStore } from '../../src/store/index.ts';
import { encodeRun, hashedRun } from '../../src/tiles/index.ts';
import {
  audit,
  emptyStores,
  entriesFrom,
  type Fault,
  faulty,
  indices,
  logged,
  newLog,
  once,
  openWriter,
  random,
  signer,
  storedCheckpoint,
  type TestLog,
  utf8,
  verifier,
} from './harness.ts';

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const unknown = async (): Promise<void> => {
  throw new SteleError('outcome-unknown', 'no answer (planted)');
};

test('news that comes between looking and waiting is not slept through', async () => {
  const wakeup = new Wakeup();
  const seen = wakeup.news;
  wakeup.wake();
  await wakeup.wait(seen);
});

test('a batch that turns out to be committed answers the items that end in it, too, when another goes on behind it', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let armed = false;
  const isArmed = (operation: string, key: string): boolean => armed && operation === 'get' && key === 'checkpoint';
  const after = once(isArmed, { before: async () => void (await rival.add([utf8('between')])) });
  const writer = await openWriter({ ...log, publicStore: faulty(log.publicStore, after) }, { maxBatchEntries: 5 });
  armed = true;
  const first = writer.queue.submit(entriesFrom(0, 3));
  assert.deepEqual(indices(await writer.add(entriesFrom(3, 10))), [3, 4, 6, 7, 8, 9, 10, 11, 12, 13]);
  assert.deepEqual(indices((await first).outcomes), [0, 1, 2]);
  assert.equal((await audit(log)).length, 14);
});

test('a read that fails while the log is loaded again is tried again, and the writer lives on', async () => {
  for (const broken of ['get', 'list'] as const) {
    const log = await newLog();
    const writer0 = await openWriter(log);
    await writer0.add(entriesFrom(0, 300));
    let failures = Number.NEGATIVE_INFINITY;
    const plan = (operation: string, key: string): Fault =>
      operation === broken && /^(tile|journal)/.test(key) && ++failures > 0 && failures <= 3 ? 'lost' : undefined;
    const shaky = { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
    const list = shaky.privateStore.list.bind(shaky.privateStore);
    shaky.privateStore.list = (prefix) => {
      if (plan('list', prefix) === 'lost') throw new SteleError('unreachable', 'the list was lost (planted)');
      return list(prefix);
    };
    const writer = await openWriter(shaky);
    await writer0.add(entriesFrom(300, 1));
    await writer0.add(entriesFrom(301, 1));
    failures = 0;
    assert.deepEqual(indices(await writer.add([utf8('mine')])), [302], broken);
    assert.ok(failures >= 3, `${failures} reads were met`);
  }
});

test('entries of a stray that a load walked, before it saw that the log had moved, are not taken for logged', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  const privateStore = faulty(
    log.privateStore,
    once((operation, key) => operation === 'get' && key === recordKey(1) && armed, {
      // The load has the tree of size 1. Now that goes on, its record is collected, and a late create lands there.
      before: async () => {
        await rival.add([utf8('r2')]);
        await rival.add([utf8('r3')]);
        const entry = utf8('x');
        const description = await log.privateStore.get('log.json');
        const { id } = JSON.parse(new TextDecoder().decode(description?.bytes)) as { id: string };
        const leaf = hashLeaf(utf8('r1'));
        const header = {
          logId: Buffer.from(id, 'hex'),
          nonce: random(16),
          baseSize: 1,
          baseRoot: leaf,
          newSize: 2,
          newRoot: rootOf(Buffer.concat([leaf, hashLeaf(entry)])),
          freeze: false,
        };
        const bytes = encodeRecord(header, [hashedRun(encodeRun([entry]))]);
        assert.ok(await log.privateStore.create(recordKey(1), bytes, metaFor(recordKey(1))), 'the key is vacated');
      },
    }),
  );
  let armed = false;
  const writer = await openWriter({ ...log, privateStore });
  await rival.add([utf8('r1')]);
  armed = true;
  assert.deepEqual(indices(await writer.add([utf8('w')])), [3]);
  assert.deepEqual(await writer.add([utf8('x')]), [{ index: 4, duplicate: false }]);
  assert.deepEqual(await logged(log), ['r1', 'r2', 'r3', 'w', 'x']);
});

test('a publication whose answer comes after a rival has published further changes nothing', async () => {
  const log = await newLog();
  let told: () => void = () => {};
  const rivalTold = new Promise<void>((resolve) => {
    told = resolve;
  });
  // Of three records the first is being published; the rival publishes the second, and the third commit learns of it.
  const publicStore = faulty(
    log.publicStore,
    once((operation) => operation === 'replace', { after: () => rivalTold }),
  );
  const privateStore = faulty(log.privateStore, (operation, key) => {
    if (operation !== 'create' || key !== recordKey(10)) return undefined;
    return {
      before: async () => void (await (await openWriter(log)).sequencer.drain()),
      after: async () => void settled().then(told),
    };
  });
  const writer = await openWriter({ publicStore, privateStore }, { maxBatchEntries: 5 });
  assert.deepEqual(indices(await writer.add(entriesFrom(0, 15))).at(-1), 14);
  assert.deepEqual(
    publicStore.calls.filter((call) => call.startsWith('get tile')),
    [],
    'no reason to load again',
  );
  assert.equal((await audit(log)).length, 15);
});

test('a checkpoint read that is answered late is held against what was known when it was asked', async () => {
  const log = await newLog();
  const stop = new AbortController();
  let second: Promise<unknown> = Promise.resolve();
  let failed = false;
  const publicStore = faulty(log.publicStore, (operation, key) => {
    if (operation === 'replace' && !failed) {
      failed = true;
      armed = true;
      return { before: unknown };
    }
    if (operation !== 'get' || key !== 'checkpoint' || !armed) return undefined;
    armed = false;
    return {
      // Read already, and on its way: a rival publishes what we could not, and our next commit learns of it.
      after: async () => {
        await (await openWriter(log)).sequencer.drain();
        second = writer.queue.submit(entriesFrom(1, 1));
        await settled();
      },
    };
  });
  let armed = false;
  const writer = await openWriter({ ...log, publicStore });
  const running = writer.sequencer.run(stop.signal);
  running.catch((error: SteleError) => writer.queue.close(error));
  await writer.queue.submit(entriesFrom(0, 1));
  await second;
  stop.abort();
  assert.equal((await running).size, 2);
  assert.equal((await audit(log)).length, 2);
});

test('what a rival published with its cosignatures, while we wrote the same objects, is left as it stands', async () => {
  const log = await newLog();
  const extra = utf8('— witness.example/w AAAAAAAAAAAAAAAAAAAAAA==\n');
  const stop = new AbortController();
  const publicStore = faulty(
    log.publicStore,
    once((operation) => operation === 'createAll', {
      after: async () => {
        await (await openWriter(log)).sequencer.drain();
        const object = await log.publicStore.get('checkpoint');
        assert.ok(object);
        const bytes = new Uint8Array([...object.bytes, ...extra]);
        await log.publicStore.replace('checkpoint', bytes, metaFor('checkpoint'), object.etag);
        void writer.queue.submit(entriesFrom(1, 1)).catch(() => {}); // its authority read tells
        await settled();
      },
    }),
  );
  const writer = await openWriter({ ...log, publicStore });
  const running = writer.sequencer.run(stop.signal);
  await writer.queue.submit(entriesFrom(0, 1));
  stop.abort();
  assert.equal((await running).size, 2);
  const swaps = publicStore.calls.filter((call) => call.startsWith('replace'));
  assert.equal(swaps.length, 1, 'for the second entry only');
});

test('a refresh that finds the log gone on loads it, even as the last thing of a drain', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  await rival.add(entriesFrom(0, 3));
  const writer = await openWriter(log, { republishMs: 60_000 });
  await rival.add(entriesFrom(3, 1));
  writer.clock.advance(60_001);
  assert.equal((await writer.sequencer.drain()).size, 4);
});

test('a store that never says what became of a write is given up after as many tries as any other (FAULT-6)', async () => {
  for (const broken of ['create', 'replace']) {
    const log = await newLog();
    const plan = (operation: string): Fault => (operation === broken ? { before: unknown } : undefined);
    const stores = { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
    const writer = await openWriter(stores, { maxAttempts: 4 });
    await assert.rejects(writer.add([utf8('x')]), (error) => isSteleError(error, 'unreachable'));
    const calls = [...stores.publicStore.calls, ...stores.privateStore.calls];
    assert.equal(calls.filter((call) => call.startsWith(`${broken} `)).length, 4, broken);
  }
});

test('a batch wider than the dedup window, taken back for a rival’s record, leaves right answers', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  const fault: Fault = { before: async () => void (await rival.add([utf8('rival')])) };
  const privateStore = faulty(
    log.privateStore,
    once((operation) => operation === 'create', fault),
  );
  const writer = await openWriter({ ...log, privateStore }, { dedupWindow: 50, maxUnpublishedEntries: 50 });
  assert.equal(indices(await writer.add(entriesFrom(0, 200))).at(-1), 200);
  assert.deepEqual(await writer.add(entriesFrom(195, 1)), [{ index: 196, duplicate: true }]);
});

test('a jump beyond the dedup window that comes when the queue was emptied already leaves nobody unanswered', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  const fault: Fault = { before: async () => void (await rival.add(entriesFrom(0, 100))) };
  const privateStore = faulty(
    log.privateStore,
    once((operation) => operation === 'create', fault),
  );
  const writer = await openWriter({ ...log, privateStore }, { dedupWindow: 20, maxUnpublishedEntries: 20 });
  assert.deepEqual(indices(await writer.add([utf8('mine'), ...entriesFrom(99, 1)])), [100, 99]);
});

test('a queue that cannot be answered ends the run: nobody waits for a writer that answers no more', async () => {
  const log = await newLog();
  const { queue, clock } = await openWriter(log);
  const answer = async (): Promise<void> => {
    throw new SteleError('unreachable', 'the queue is gone (planted)');
  };
  const mute = Object.assign(Object.create(queue) as typeof queue, {
    receive: queue.receive.bind(queue),
    wait: queue.wait.bind(queue),
    redeliver: queue.redeliver.bind(queue),
    answer,
  });
  const settings = { ...DIRECTORY_SETTINGS, publishIntervalMs: 0, maxAttempts: 3 };
  const sequencer = await Sequencer.open({ ...log, queue: mute, signer, verifier, clock, random, settings });
  void queue.submit(entriesFrom(0, 1)).catch(() => {});
  const running = sequencer.run(new AbortController().signal);
  await assert.rejects(running, (error) => isSteleError(error, 'unreachable') && /planted/.test(error.message));
});

test('a log that another history took the place of is refused, and nothing of it is signed', async () => {
  const [log, other] = [await newLog(), await emptyStores()];
  for (const store of ['publicStore', 'privateStore'] as const) {
    const description = await log[store].get('log.json');
    assert.ok(description);
    await other[store].create('log.json', description.bytes, metaFor('log.json'));
  }
  await initLog({ ...other, signer, verifier, random });
  let replaced = false;
  const either = (store: keyof TestLog): ObjectStore =>
    new Proxy(log[store], { get: (_, name) => Reflect.get((replaced ? other : log)[store], name) });
  const writer = await openWriter(
    { publicStore: either('publicStore'), privateStore: either('privateStore') },
    { republishMs: 60_000 },
  );
  await writer.add(entriesFrom(0, 3));
  await (await openWriter(other)).add(entriesFrom(100, 400));
  const lost = faulty(other.publicStore, (operation) => (operation === 'createAll' ? 'lost' : undefined));
  await assert.rejects((await openWriter({ ...other, publicStore: lost })).add([utf8('committed only')]));
  const before = await storedCheckpoint(other);
  replaced = true;
  writer.clock.advance(60_001);
  await assert.rejects(
    writer.sequencer.drain(),
    (error) => isSteleError(error, 'refused') && /does not contain/.test(error.message),
  );
  assert.deepEqual((await storedCheckpoint(other)).bytes, before.bytes);
});
