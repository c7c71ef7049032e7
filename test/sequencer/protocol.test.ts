/** The commit protocol under faults and rivals: nothing is lost, nothing is twice, nothing is signed beside history. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { recordKey } from '../../src/sequencer/record.ts';
import {
  audit,
  entriesFrom,
  type Fault,
  faulty,
  indices,
  META,
  mustGet,
  newLog,
  openWriter,
  storedCheckpoint,
  type TestLog,
  utf8,
  type Writer,
} from './harness.ts';

/** Both in the log exactly once, in whatever order. */
async function assertHolds(log: TestLog, entries: readonly Uint8Array[]): Promise<void> {
  const logged = (await audit(log)).map(String);
  assert.deepEqual(logged.toSorted(), entries.map(String).toSorted());
}

test('a fault at any single write, without effect or with its answer lost, loses and doubles nothing (FAULT-1…10)', async () => {
  for (const fault of ['lost', 'kept'] as const) {
    for (let k = 0; k < 14; k++) {
      const log = await newLog();
      await (await openWriter(log)).add(entriesFrom(0, 254));
      let count = 0;
      const plan = (operation: string): Fault => (/get|list/.test(operation) || count++ !== k ? undefined : fault);
      const writer = await openWriter({
        publicStore: faulty(log.publicStore, plan),
        privateStore: faulty(log.privateStore, plan),
      });
      assert.deepEqual(indices(await writer.add(entriesFrom(254, 3))), [254, 255, 256], `${fault} at write ${k}`);
      assert.deepEqual(indices(await writer.add(entriesFrom(257, 1))), [257]);
      const restarted = await openWriter(log);
      assert.deepEqual(indices(await restarted.add(entriesFrom(255, 4))), [255, 256, 257, 258]);
      await assertHolds(log, entriesFrom(0, 259));
    }
  }
});

test('every write lost from some point on: the writer gives up, and a restart completes what was committed (FAULT-4, FAULT-9)', async () => {
  for (let k = 0; k < 8; k++) {
    const log = await newLog();
    await (await openWriter(log)).add(entriesFrom(0, 10));
    let count = 0;
    const plan = (operation: string): Fault => (/get|list/.test(operation) || count++ < k ? undefined : 'lost');
    const writer = await openWriter({
      publicStore: faulty(log.publicStore, plan),
      privateStore: faulty(log.privateStore, plan),
    });
    const submitted = await writer.add(entriesFrom(10, 3)).catch((error) => {
      assert.ok(isSteleError(error, 'unreachable', 'aborted'), String(error));
      return undefined;
    });
    const restarted = await openWriter(log);
    await restarted.sequencer.drain();
    if (submitted !== undefined) assert.deepEqual(indices(submitted), [10, 11, 12]);
    assert.deepEqual(indices(await restarted.add(entriesFrom(9, 4))), [9, 10, 11, 12]);
    await assertHolds(log, entriesFrom(0, 13));
  }
});

test('a read that fails once at start is tried again by the caller, and nothing was written (FAULT-19)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 300));
  const reads = faulty(log.publicStore, () => undefined);
  const privateReads = faulty(log.privateStore, () => undefined);
  await openWriter({ publicStore: reads, privateStore: privateReads });
  const total = [...reads.calls, ...privateReads.calls].filter((call) => call.startsWith('get')).length;
  for (let k = 0; k < total; k++) {
    let count = 0;
    const plan = (operation: string): Fault => (operation === 'get' && count++ === k ? 'lost' : undefined);
    const broken = { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
    await assert.rejects(openWriter(broken), (error) => isSteleError(error, 'unreachable'), `read ${k}`);
    const writes = [...broken.publicStore.calls, ...broken.privateStore.calls].filter(
      (call) => !/^(get|list)/.test(call),
    );
    assert.deepEqual(writes, []);
  }
});

test('two writers that take turns adopt each other’s records, and all entries are in one history (RACE-2)', async () => {
  const log = await newLog();
  const [one, two] = [await openWriter(log), await openWriter(log)];
  for (let round = 0; round < 12; round++) {
    const writer = round % 2 === 0 ? one : two;
    assert.deepEqual(
      indices(await writer.add(entriesFrom(round * 10, 10))),
      Array.from({ length: 10 }, (_, i) => round * 10 + i),
    );
  }
  await assertHolds(log, entriesFrom(0, 120));
});

test('two writers at once on overlapping entries: none lost, none twice, both told the same index', async () => {
  const log = await newLog();
  const [one, two] = [await openWriter(log, { maxBatchEntries: 7 }), await openWriter(log, { maxBatchEntries: 5 })];
  const [first, second] = await Promise.all([one.add(entriesFrom(0, 60)), two.add(entriesFrom(30, 60))]);
  await assertHolds(log, entriesFrom(0, 90));
  assert.deepEqual(indices(first).slice(30), indices(second).slice(0, 30));
});

test('a writer paused before its create is fenced: its record at a vacated key never counts (RACE-3)', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let paused = false;
  const privateStore = faulty(log.privateStore, (operation) => {
    if (operation !== 'create' || paused) return undefined;
    paused = true;
    return {
      // Meanwhile the rival commits at this very key, publishes, commits more, and collects the record.
      before: async () => {
        await rival.add([utf8('rival 1')]);
        await rival.add([utf8('rival 2')]);
        assert.equal(await log.privateStore.get(recordKey(0)), undefined, 'the key is vacated');
      },
    };
  });
  const writer = await openWriter({ ...log, privateStore });
  assert.deepEqual(indices(await writer.add([utf8('late')])), [2]);
  assert.deepEqual((await audit(log)).map(String), [utf8('rival 1'), utf8('rival 2'), utf8('late')].map(String));
});

test('entries of a fenced record that the rival logged at the very same place are not logged again', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let paused = false;
  const privateStore = faulty(log.privateStore, (operation) => {
    if (operation !== 'create' || paused) return undefined;
    paused = true;
    return {
      before: async () => {
        await rival.add([utf8('same')]);
        await rival.add([utf8('more')]);
      },
    };
  });
  const writer = await openWriter({ ...log, privateStore });
  assert.deepEqual(indices(await writer.add([utf8('same')])), [0]);
  assert.equal((await audit(log)).length, 2);
});

test('what a rival commits between a create and the authority read is loaded, and the batch goes behind it', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let paused = false;
  const publicStore = faulty(log.publicStore, (operation, key) => {
    if (operation !== 'get' || key !== 'checkpoint' || paused || !armed) return undefined;
    paused = true;
    return { before: async () => void (await rival.add([utf8('between')])) };
  });
  let armed = false;
  const writer = await openWriter({ ...log, publicStore });
  armed = true;
  // The writer's record is at 0 already: the rival adopts and publishes it, then its own.
  assert.deepEqual(indices(await writer.add([utf8('mine')])), [0]);
  await assertHolds(log, [utf8('mine'), utf8('between')]);
});

test('a publication of our own that ends while an authority read is under way is no reason to load again', async () => {
  const log = await newLog();
  let swapped: () => void = () => {};
  const published = new Promise<void>((resolve) => {
    swapped = resolve;
  });
  let reads = Number.NEGATIVE_INFINITY; // those of the load do not count
  const publicStore = faulty(log.publicStore, (operation, key) => {
    if (operation === 'replace') return { after: async () => swapped() };
    // Of the second commit: read before the first batch is published, answered after.
    if (operation === 'get' && key === 'checkpoint' && ++reads === 2) {
      return { after: () => published.then(() => new Promise((resolve) => setTimeout(resolve, 20))) };
    }
    return undefined;
  });
  const raced = await openWriter({ ...log, publicStore }, { maxBatchEntries: 5 });
  reads = 0;
  const before = publicStore.calls.length;
  assert.deepEqual(indices(await raced.add(entriesFrom(0, 10))), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const reloads = publicStore.calls.slice(before).filter((call) => /^get tile/.test(call));
  assert.deepEqual(reloads, []);
  assert.equal((await raced.sequencer.drain()).appended, 10);
});

test('losing the swap to a rival that published further loads its tree and acknowledges what it contains', async () => {
  const log = await newLog();
  let rival: Writer | undefined;
  let paused = false;
  const publicStore = faulty(log.publicStore, (operation) => {
    if (operation !== 'replace' || paused) return undefined;
    paused = true;
    return {
      before: async () => {
        rival = await openWriter(log);
        await rival.add([utf8('overtakes')]);
      },
    };
  });
  const writer = await openWriter({ ...log, publicStore });
  assert.deepEqual(indices(await writer.add([utf8('mine')])), [0]);
  assert.deepEqual(
    (await audit(log)).map(String),
    ['mine', 'overtakes'].map((text) => String(utf8(text))),
  );
});

test('a record that a dead writer left is published by the next one, and its entries are known (DEDUP-6)', async () => {
  const log = await newLog();
  const publicStore = faulty(log.publicStore, (operation) => (operation === 'createAll' ? 'lost' : undefined));
  const dead = await openWriter({ ...log, publicStore }, { maxAttempts: 1 });
  await assert.rejects(dead.add([utf8('committed')]));
  assert.equal((await storedCheckpoint(log)).size, 0, 'committed, and not published');
  const next = await openWriter(log);
  assert.deepEqual(await next.add([utf8('committed'), utf8('new')]), [
    { index: 0, duplicate: true },
    { index: 1, duplicate: false },
  ]);
});

test('a rival freezing in the middle ends the log: who waits is answered, nothing comes after', async () => {
  const log = await newLog();
  const rival = await openWriter(log);
  let paused = false;
  const privateStore = faulty(log.privateStore, (operation) => {
    if (operation !== 'create' || paused) return undefined;
    paused = true;
    return { before: async () => void (await rival.sequencer.freeze()) };
  });
  const writer = await openWriter({ ...log, privateStore });
  assert.deepEqual(indices(await writer.add([utf8('too late')])), ['the log is frozen']);
  assert.equal((await audit(log)).length, 0);
});

test('a checkpoint of the same tree by another writer keeps its further signature lines', async () => {
  const log = await newLog();
  const extra = utf8('— witness.example/w AAAAAAAAAAAAAAAAAAAAAA==\n');
  let paused = false;
  const publicStore = faulty(log.publicStore, (operation) => {
    if (operation !== 'replace' || paused) return undefined;
    paused = true;
    return {
      before: async () => {
        const rival = await openWriter(log);
        await rival.sequencer.drain();
        const { bytes, etag } = await mustGet(log, 'publicStore', 'checkpoint');
        await log.publicStore.replace('checkpoint', new Uint8Array([...bytes, ...extra]), META, etag);
      },
    };
  });
  const writer = await openWriter({ ...log, publicStore });
  await writer.add([utf8('x')]);
  const { bytes } = await mustGet(log, 'publicStore', 'checkpoint');
  assert.match(new TextDecoder().decode(bytes), /witness\.example\/w/);
});
