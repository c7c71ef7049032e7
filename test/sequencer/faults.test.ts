/** Cases of the catalogue about faults in several rounds, signers, late writes, publication and clocks. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { LogReader } from '../../src/client/index.ts';
import { SteleError } from '../../src/errors.ts';
import { hashLeaf, verifyInclusion } from '../../src/merkle/index.ts';
import { openCheckpoint, type SignedCheckpoint, type Signer } from '../../src/note/index.ts';
import { collectPartials } from '../../src/sequencer/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import {
  audit,
  entriesFrom,
  type Fault,
  faulty,
  indices,
  keysOf,
  newLog,
  type Operation,
  openWriter,
  signer,
  storedCheckpoint,
  type TestLog,
  utf8,
  verifier,
  virtualClock,
} from './harness.ts';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

async function assertHolds(log: TestLog, entries: readonly Uint8Array[]): Promise<void> {
  assert.deepEqual((await audit(log)).map(String).toSorted(), entries.map(String).toSorted());
}

/** The log with every write that `plan` says failing. */
function failing(log: TestLog, plan: (operation: Operation, key: string) => Fault): TestLog {
  return { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
}

/** Submits and drains; undefined where the writer gave up. */
async function tryToAdd(log: TestLog, entries: readonly Uint8Array[]): Promise<(number | string)[] | undefined> {
  try {
    return indices(await (await openWriter(log, { maxAttempts: 1 })).add(entries));
  } catch (error) {
    assert.ok(error instanceof SteleError, String(error));
    return undefined;
  }
}

/** Every checkpoint that was written, or was to be. */
function spyOnSigning(store: ObjectStore): { store: ObjectStore; signed: SignedCheckpoint[] } {
  const signed: SignedCheckpoint[] = [];
  const replace: ObjectStore['replace'] = (key, bytes, meta, etag) => {
    if (key === 'checkpoint') signed.push(openCheckpoint(bytes, verifier));
    return store.replace(key, bytes, meta, etag);
  };
  return { store: { ...store, replace }, signed };
}

test('a journal record that cannot be collected is swept by a later round, and replaying it does no harm (FAULT-13)', async () => {
  for (const fault of ['lost', 'kept'] as const) {
    const log = await newLog();
    const writer = await openWriter(failing(log, (operation) => (operation === 'delete' ? fault : undefined)));
    for (let at = 0; at < 20; at += 5)
      assert.deepEqual(indices(await writer.add(entriesFrom(at, 5))), range(at, at + 5));
    const restarted = await openWriter(log);
    assert.deepEqual(indices(await restarted.add(entriesFrom(0, 25))), range(0, 25));
    await restarted.sequencer.drain();
    assert.deepEqual(await keysOf(log.privateStore, 'journal/'), ['journal/0000000000000020'], fault);
    await assertHolds(log, entriesFrom(0, 25));
  }
});

test('partials that cannot be deleted, or some of them, are deleted by the next collection; the log stays whole (FAULT-14, CRASH-7, LOAD-6)', async () => {
  for (const fault of ['lost', 'kept'] as const) {
    const log = await newLog();
    const writer = await openWriter(log);
    for (let at = 0; at < 600; at += 60) await writer.add(entriesFrom(at, 60));
    const partials = async (): Promise<string[]> =>
      (await keysOf(log.publicStore, 'tile/')).filter((key) => /\.p\//.test(key));
    const before = await partials();
    for (let k = 0; ; k++) {
      let deletes = 0;
      const plan = (operation: Operation): Fault => (operation === 'delete' && deletes++ === k % 3 ? fault : undefined);
      const publicStore = faulty(log.publicStore, plan);
      const clock = virtualClock();
      clock.advance(1e12);
      const done = await collectPartials({ publicStore, verifier, clock, graceMs: 0 }).then(
        () => true,
        () => false,
      );
      assert.equal((await audit(log)).length, 600, `after collection ${k}`);
      if (done) break;
      assert.ok(k < before.length, 'every collection gets further');
    }
    const after = await partials();
    assert.ok(before.length > 12 && after.length <= 8, `${before.length} partials, then ${after.length}`);
    assert.deepEqual(indices(await (await openWriter(log)).add(entriesFrom(600, 1))), [600]);
  }
});

test('the checkpoint lost in one round, and the next one failing at any write: a restart recovers (FAULT-16)', async () => {
  for (let k = 0; k < 6; k++) {
    for (const fault of ['lost', 'kept'] as const) {
      const log = await newLog();
      await (await openWriter(log)).add(entriesFrom(0, 254));
      assert.equal(
        await tryToAdd(
          failing(log, (operation) => (operation === 'replace' ? 'lost' : undefined)),
          entriesFrom(254, 1),
        ),
        undefined,
      );
      let writes = 0;
      const plan = (operation: Operation): Fault =>
        /get|list|stage/.test(operation) || writes++ !== k ? undefined : fault;
      await tryToAdd(failing(log, plan), entriesFrom(255, 3));
      assert.deepEqual(
        indices(await (await openWriter(log)).add(entriesFrom(254, 5))),
        range(254, 259),
        `${fault} at ${k}`,
      );
      await assertHolds(log, entriesFrom(0, 259));
    }
  }
});

test('checkpoints of several rounds lost, then a crash: all objects are there, and the newest is published (FAULT-17)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 250));
  const plan = (operation: Operation): Fault => (operation === 'replace' ? 'lost' : undefined);
  for (let round = 0; round < 4; round++)
    assert.equal(await tryToAdd(failing(log, plan), entriesFrom(250 + 3 * round, 3)), undefined);
  assert.equal((await storedCheckpoint(log)).size, 250);
  const restarted = await openWriter(log);
  await restarted.sequencer.drain();
  assert.equal((await storedCheckpoint(log)).size, 262);
  assert.deepEqual(indices(await restarted.add(entriesFrom(250, 13))), range(250, 263));
  await assertHolds(log, entriesFrom(0, 263));
});

test('every pair of faults in two rounds that follow each other: nothing lost, nothing twice (FAULT-18)', async () => {
  const faults = ['lost', 'kept'] as const;
  for (let first = 0; first < 5; first++) {
    for (let second = 0; second < 5; second++) {
      for (const [one, other] of faults.flatMap((a) => faults.map((b) => [a, b] as const))) {
        const log = await newLog();
        await (await openWriter(log)).add(entriesFrom(0, 254));
        const at = (k: number, fault: Fault): TestLog => {
          let writes = 0;
          return failing(log, (operation) => (/get|list|stage/.test(operation) || writes++ !== k ? undefined : fault));
        };
        await tryToAdd(at(first, one), entriesFrom(254, 3));
        await tryToAdd(at(second, other), entriesFrom(256, 3));
        const answers = indices(await (await openWriter(log)).add(entriesFrom(254, 6)));
        assert.deepEqual(answers.toSorted(), range(254, 260), `${one} at ${first}, ${other} at ${second}`);
        await assertHolds(log, entriesFrom(0, 260));
      }
    }
  }
});

test('a signer that throws leaves nothing half-published, and the next writer goes on (FAULT-20)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 3));
  const broken: Signer = {
    ...signer,
    sign: () => Promise.reject(new SteleError('unreachable', 'the key service is away (planted)')),
  };
  const { sequencer, queue } = await openWriter(log, { maxAttempts: 3 }, virtualClock(), { signer: broken });
  const waiting = queue.submit(entriesFrom(3, 2));
  waiting.catch(() => {});
  await assert.rejects(sequencer.drain(), /key service is away/);
  assert.equal((await storedCheckpoint(log)).size, 3);
  await queue.close(new SteleError('aborted', 'the writer ended'));
  await assert.rejects(waiting, { code: 'aborted' }, 'who waited is told, once');
  const next = await openWriter(log);
  assert.deepEqual(indices(await next.add(entriesFrom(3, 3))), [3, 4, 5]);
  await assertHolds(log, entriesFrom(0, 6));
});

test('a signer that hangs holds up its writer, not a rival, and signs nothing older when it comes to itself (FAULT-20, PUB-3)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 3));
  let answer = (): void => {};
  const hung = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow: Signer = { ...signer, sign: async (message) => hung.then(() => signer.sign(message)) };
  const { sequencer, queue } = await openWriter(log, {}, virtualClock(), { signer: slow });
  const waiting = queue.submit(entriesFrom(3, 2));
  const draining = sequencer.drain();
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
  const rival = await openWriter(log);
  assert.deepEqual(indices(await rival.add(entriesFrom(5, 1))), [5], 'it adopts what the other had committed');
  const published = await storedCheckpoint(log);
  assert.equal(published.size, 6);
  answer();
  await draining;
  assert.deepEqual(indices((await waiting).outcomes), [3, 4]);
  assert.equal((await storedCheckpoint(log)).size, 6);
  await assertHolds(log, entriesFrom(0, 6));
});

test('tiles, bundles and a checkpoint that land long after their round was given up change nothing (RACE-5, PUB-3)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 254));
  const late: (() => Promise<unknown>)[] = [];
  const given = (): never => {
    throw new SteleError('outcome-unknown', 'no answer (planted)');
  };
  const publicStore: ObjectStore = {
    ...log.publicStore,
    createAll: async (objects) => {
      const all = [...objects];
      late.push(() => log.publicStore.createAll(all));
      given();
    },
    replace: async (...args) => {
      late.push(() => log.publicStore.replace(...args));
      return given();
    },
  };
  await assert.rejects((await openWriter({ ...log, publicStore }, { maxAttempts: 2 })).add(entriesFrom(254, 5)));
  const next = await openWriter(log);
  assert.deepEqual(indices(await next.add(entriesFrom(254, 8))), range(254, 262));
  const before = await storedCheckpoint(log);
  assert.ok(late.length > 0);
  for (const land of late)
    await land().catch((error: unknown) => assert.equal((error as SteleError).code, 'precondition-failed'));
  assert.deepEqual(await storedCheckpoint(log), before);
  await assertHolds(log, entriesFrom(0, 262));
});

test('a writer whose checkpoint was read long ago loses the swap, reads afresh, and goes on (RACE-4)', async () => {
  const log = await newLog();
  const stale = await openWriter(log);
  const rival = await openWriter(log);
  for (let at = 0; at < 30; at += 3) await rival.add(entriesFrom(at, 3));
  assert.deepEqual(indices(await stale.add(entriesFrom(30, 2))), [30, 31]);
  assert.deepEqual(indices(await stale.add(entriesFrom(32, 1))), [32]);
  await assertHolds(log, entriesFrom(0, 33));
});

test('everything that a checkpoint needs can be fetched before it is visible; one root a size is ever signed (PUB-1, PUB-2, RACE-8)', async () => {
  const log = await newLog();
  const spied = spyOnSigning(log.publicStore);
  let checked = 0;
  const replace: ObjectStore['replace'] = async (key, bytes, meta, etag) => {
    const next = openCheckpoint(bytes, verifier);
    // The log as it would be a moment later.
    const preview = {
      ...log,
      publicStore: {
        ...log.publicStore,
        get: async (wanted: string) => (wanted === 'checkpoint' ? { bytes, etag: 'x' } : log.publicStore.get(wanted)),
      },
    };
    assert.equal((await audit(preview)).length, next.size);
    checked += 1;
    return spied.store.replace(key, bytes, meta, etag);
  };
  const watched = { ...log, publicStore: { ...spied.store, replace } };
  let seed = 7;
  const dice = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return seed / 2 ** 31;
  };
  const plan = (operation: Operation): Fault =>
    /get|list|stage/.test(operation) || dice() > 0.15 ? undefined : dice() < 0.5 ? 'lost' : 'kept';
  for (let round = 0, at = 0; round < 40; round++, at += 9) {
    const writers = await Promise.all(
      [openWriter(failing(watched, plan)), openWriter(failing(watched, plan))].map((opening) =>
        opening.catch(() => undefined),
      ),
    );
    await Promise.all(writers.map((writer, i) => writer?.add(entriesFrom(at + 4 * i, 5)).catch(() => undefined)));
  }
  await (await openWriter(watched)).sequencer.drain();
  assert.ok(checked > 20, `${checked} publications`);
  const roots = new Map<number, string>();
  for (const { size, root } of spied.signed) {
    const hex = Buffer.from(root).toString('hex');
    assert.equal(roots.get(size) ?? hex, hex, `two roots of size ${size} were signed`);
    roots.set(size, hex);
  }
  const logged = (await audit(log)).map(String);
  assert.equal(new Set(logged).size, logged.length, 'nothing is there twice');
});

test('a reader that holds the checkpoint before, while partials are collected, falls back to full objects (RACE-9)', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 200));
  const reader = new LogReader(log.publicStore, verifier);
  const held = await reader.checkpoint();
  await writer.add(entriesFrom(200, 400));
  const clock = virtualClock();
  clock.advance(1e12);
  const { deleted } = await collectPartials({ publicStore: log.publicStore, verifier, clock, graceMs: 0 });
  assert.ok(deleted > 0);
  const read: string[] = [];
  for await (const { entry } of reader.entries(0, held.size, held)) read.push(new TextDecoder().decode(entry));
  assert.deepEqual(
    read,
    entriesFrom(0, 200).map((entry) => new TextDecoder().decode(entry)),
  );
});

test('whoever is answered can fetch a checkpoint that covers the entry at once (PUB-6)', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  for (let at = 0; at < 300; at += 37) {
    const { outcomes, treeSize } = await Promise.all([
      writer.queue.submit(entriesFrom(at, 5)),
      writer.sequencer.drain(),
    ]).then(([receipt]) => receipt);
    const { size } = await storedCheckpoint(log);
    for (const outcome of outcomes) assert.ok('index' in outcome && outcome.index < treeSize && treeSize <= size);
  }
});

test('the same entry from a thousand callers, across rounds, has one index (RACE-10)', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { maxBatchEntries: 100 });
  const stop = new AbortController();
  const running = writer.sequencer.run(stop.signal);
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, async (_, i) => {
      if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      return indices((await writer.queue.submit([utf8('the one'), utf8(`other ${i % 300}`)])).outcomes);
    }),
  );
  stop.abort();
  await running;
  assert.equal(new Set(answers.map(([one]) => one)).size, 1);
  assert.equal((await audit(log)).length, 301);
});

test('an answer that never arrives: who submits again gets the first index, and a proof that verifies (DEDUP-4)', async () => {
  const log = await newLog();
  const first = await openWriter(log);
  void first.queue.submit(entriesFrom(0, 5)); // nobody hears what becomes of it
  await first.sequencer.drain();
  for (const writer of [first, await openWriter(log)]) {
    assert.deepEqual(indices(await writer.add(entriesFrom(0, 5))), [0, 1, 2, 3, 4]);
  }
  const reader = new LogReader(log.publicStore, verifier);
  const checkpoint = await reader.checkpoint();
  for (const [i, entry] of entriesFrom(0, 5).entries()) {
    const proof = await reader.inclusionProof(i, checkpoint);
    const { size, root } = checkpoint;
    assert.doesNotThrow(() => verifyInclusion({ index: i, size, leafHash: hashLeaf(entry), proof, root }));
  }
});

test('rounds in the same millisecond both succeed (CLOCK-1)', async () => {
  const log = await newLog();
  const clock = {
    now: () => 1_800_000_000_000,
    sleep: async () => new Promise<void>((resolve) => setImmediate(resolve)),
    advance() {},
  };
  const writer = await openWriter(log, {}, clock);
  assert.deepEqual(indices(await writer.add(entriesFrom(0, 2))), [0, 1]);
  assert.deepEqual(indices(await writer.add(entriesFrom(2, 2))), [2, 3]);
  await assertHolds(log, entriesFrom(0, 4));
});

test('a clock that stepped back across a restart, or jumped ahead by a year, delays nothing and breaks nothing (CLOCK-3, CLOCK-4)', async () => {
  const log = await newLog();
  const clocks = [0, -7_200_000, 365 * 86_400_000, 0].map((offset) => {
    const clock = virtualClock();
    clock.advance(offset);
    return clock;
  });
  let at = 0;
  for (const clock of clocks) {
    const writer = await openWriter(log, { publishIntervalMs: 1_000 }, clock);
    const began = clock.now();
    assert.deepEqual(indices(await writer.add(entriesFrom(at, 3))), range(at, at + 3));
    assert.ok(clock.now() - began <= 1_000, `published after ${clock.now() - began} ms`);
    clock.advance(365 * 86_400_000);
    assert.deepEqual(indices(await writer.add(entriesFrom(at + 3, 3))), range(at + 3, at + 6));
    at += 6;
  }
  await assertHolds(log, entriesFrom(0, at));
});

test('a publication that fails while others wait, who submit again: nothing is logged twice (DEDUP-7)', async () => {
  const log = await newLog();
  let failures = 3;
  const plan = (operation: Operation): Fault => (operation === 'replace' && failures-- > 0 ? 'lost' : undefined);
  const writer = await openWriter(failing(log, plan), { maxAttempts: 10 });
  const stop = new AbortController();
  const running = writer.sequencer.run(stop.signal);
  const answers = await Promise.all(Array.from({ length: 20 }, () => writer.queue.submit(entriesFrom(0, 4))));
  stop.abort();
  await running;
  for (const { outcomes } of answers) assert.deepEqual(indices(outcomes), [0, 1, 2, 3]);
  await assertHolds(log, entriesFrom(0, 4));
});

test('a public store that stalls for a minute: memory is bounded, and afterwards everybody is answered (LOAD-2)', async () => {
  const log = await newLog();
  const clock = virtualClock();
  const until = clock.now() + 60_000;
  const stalled = async (): Promise<void> => {
    while (clock.now() < until) await clock.sleep(500);
  };
  const publicStore: ObjectStore = {
    ...log.publicStore,
    createAll: async (objects) => {
      const all = [...objects];
      await stalled();
      return log.publicStore.createAll(all);
    },
  };
  const limits = { maxUnpublishedEntries: 500, dedupWindow: 500, maxUnpublishedAgeMs: 1e12, drainDeadlineMs: 1e12 };
  const writer = await openWriter({ ...log, publicStore }, { ...limits, maxBatchEntries: 100 }, clock);
  const stop = new AbortController();
  const running = writer.sequencer.run(stop.signal);
  const answers = Array.from({ length: 40 }, (_, i) => writer.queue.submit(entriesFrom(i * 100, 100)));
  let committed = 0;
  while (clock.now() < until) {
    const records = await keysOf(log.privateStore, 'journal/');
    committed = Math.max(committed, records.length * 100);
    await clock.sleep(1_000);
  }
  assert.ok(committed >= 300 && committed <= 700, `${committed} entries were committed while nothing was published`);
  for (const [i, answer] of answers.entries())
    assert.deepEqual(indices((await answer).outcomes), range(i * 100, i * 100 + 100));
  stop.abort();
  await running;
  await assertHolds(log, entriesFrom(0, 4_000));
});
