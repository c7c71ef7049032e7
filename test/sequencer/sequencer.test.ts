import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { initLog, Sequencer } from '../../src/sequencer/index.ts';
import {
  audit,
  emptyStores,
  entriesFrom,
  faulty,
  indices,
  keysOf,
  newLog,
  openWriter,
  random,
  signer,
  storedCheckpoint,
  type TestLog,
  utf8,
  verifier,
} from './harness.ts';

const vector = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../tiles-spec/vectors/${name}`, import.meta.url), 'utf8')) as T;

async function publicObjects(log: TestLog): Promise<Map<string, string>> {
  const objects = new Map<string, string>();
  for (const key of await keysOf(log.publicStore, 'tile/')) {
    const object = await log.publicStore.get(key);
    objects.set(key, Buffer.from(object?.bytes ?? []).toString('base64'));
  }
  return objects;
}

test('entries get their indices in order, and the public objects alone prove the tree', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  assert.deepEqual(indices(await writer.add(entriesFrom(0, 3))), [0, 1, 2]);
  assert.deepEqual(
    indices(await writer.add(entriesFrom(3, 600))),
    Array.from({ length: 600 }, (_, i) => i + 3),
  );
  assert.deepEqual((await audit(log)).map(String), entriesFrom(0, 603).map(String));
});

test('one entry a round, with a new writer every round, across a tile boundary (GROW-1)', async () => {
  const log = await newLog();
  for (let i = 0; i < 260; i++) {
    const writer = await openWriter(log);
    assert.deepEqual(indices(await writer.add(entriesFrom(i, 1))), [i]);
    if (i % 37 === 0 || i > 253) await audit(log);
  }
  assert.equal((await audit(log)).length, 260);
});

test('rounds with nothing to log leave everything as it is, and write nothing (GROW-3)', async () => {
  for (const size of [0, 5, 255, 256, 257]) {
    const log = await newLog();
    const first = await openWriter(log);
    if (size > 0) await first.add(entriesFrom(0, size));
    const before = await publicObjects(log);
    const spied = faulty(log.publicStore, () => undefined);
    const journal = faulty(log.privateStore, () => undefined);
    const writer = await openWriter({ publicStore: spied, privateStore: journal });
    const report = await writer.sequencer.drain();
    assert.equal(report.size, size);
    assert.deepEqual(await publicObjects(log), before);
    const writes = [...spied.calls, ...journal.calls].filter((call) => !/^(get|list)/.test(call));
    assert.deepEqual(writes, []);
  }
});

test('growth over a level-1 boundary makes the tiles of level 2 (GROW-4)', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 65_535));
  await writer.add(entriesFrom(65_535, 2));
  await writer.add(entriesFrom(65_537, 300));
  assert.equal((await audit(log)).length, 65_837);
  assert.ok((await keysOf(log.publicStore, 'tile/2/')).includes('tile/2/000.p/1'));
});

test('any partition into batches gives the full objects and root of a single batch (GROW-5)', async () => {
  const whole = new Map<number, { objects: Map<string, string>; root: string }>();
  const build = async (sizes: readonly number[]): Promise<{ objects: Map<string, string>; root: string }> => {
    const log = await newLog();
    const writer = await openWriter(log, { maxBatchEntries: 300 });
    let at = 0;
    for (const size of sizes) {
      if (size > 0) await writer.add(entriesFrom(at, size));
      at += size;
    }
    await audit(log); // which holds the final partials to the entries
    const objects = await publicObjects(log);
    for (const key of objects.keys()) if (key.includes('.p/')) objects.delete(key); // those depend on what was published
    return { objects, root: String((await storedCheckpoint(log)).root) };
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 }), async (sizes) => {
      const total = sizes.reduce((sum, size) => sum + size, 0);
      const parts = await build(sizes);
      const single = whole.get(total) ?? (await build([total]));
      whole.set(total, single);
      assert.equal(parts.root, single.root);
      assert.deepEqual(parts.objects, single.objects);
    }),
    { numRuns: 25 },
  );
});

test('a log of the entries of growth.json publishes exactly what each step says', async () => {
  interface Step {
    readonly from: number;
    readonly to: number;
    readonly root: string;
    readonly written: readonly { path: string; sha256: string }[];
  }
  const { sequences } = vector<{ sequences: { id: string; steps: Step[] }[] }>('growth.json');
  for (const { id, steps } of sequences) {
    if (steps.some(({ to }) => to > 5_000)) continue; // the pure function is held to all of them in test/tiles
    const log = await newLog();
    const writer = await openWriter(log);
    for (const { from, to, root, written } of steps) {
      const before = new Set(await keysOf(log.publicStore, 'tile/'));
      if (to > from) await writer.add(entriesFrom(from, to - from));
      const added = (await keysOf(log.publicStore, 'tile/')).filter((key) => !before.has(key));
      assert.deepEqual(added.sort(), written.map((object) => object.path).sort(), `${id} ${from} → ${to}`);
      assert.equal(Buffer.from((await storedCheckpoint(log)).root).toString('base64'), root);
    }
  }
});

test('a commit that stays in one tile costs four writes and one checkpoint read, no list (GROW-6, GROW-8)', async () => {
  const log = await newLog();
  const publicStore = faulty(log.publicStore, () => undefined);
  const privateStore = faulty(log.privateStore, () => undefined);
  const writer = await openWriter({ publicStore, privateStore });
  await writer.add(entriesFrom(0, 5));
  for (let round = 0; round < 20; round++) {
    publicStore.calls.length = privateStore.calls.length = 0;
    await writer.add(entriesFrom(100 + round, 1));
    assert.deepEqual(publicStore.calls, ['get checkpoint', 'createAll 2', 'replace checkpoint']);
    const key = `journal/${String(5 + round).padStart(16, '0')}`;
    assert.deepEqual(privateStore.calls.slice(0, 2), [`stage ${key}`, `create ${key}`]);
    assert.deepEqual(
      privateStore.calls.slice(2).map((call) => call.split(' ')[0]),
      ['delete'],
      'and one record collected',
    );
  }
});

test('the journal keeps the record that ends at the published size, and collects those below', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { maxBatchEntries: 10 });
  await writer.add(entriesFrom(0, 95));
  await writer.add(entriesFrom(95, 5));
  assert.deepEqual(await keysOf(log.privateStore, 'journal/'), ['journal/0000000000000095']);
});

test('a duplicate is answered with its first index: within a batch, in flight, stored, after a restart (DEDUP-1, DEDUP-2)', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { maxBatchEntries: 4 });
  const [a, b, c] = [utf8('a'), utf8('b'), utf8('c')];
  assert.deepEqual(indices(await writer.add([a, b, a, c, a, b])), [0, 1, 0, 2, 0, 1]);
  assert.deepEqual(indices(await writer.add([c, utf8('d'), a])), [2, 3, 0]);
  const restarted = await openWriter(log);
  assert.deepEqual(await restarted.add([b]), [{ index: 1, duplicate: true }]);
  assert.equal((await audit(log)).length, 4);
  assert.deepEqual(
    await keysOf(log.privateStore, 'journal/'),
    ['journal/0000000000000003'],
    'nothing was written for duplicates',
  );
});

test('a restart rebuilds the dedup window from the tiles, as wide as it is configured', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 2_000));
  const wide = await openWriter(log);
  assert.deepEqual(await wide.add(entriesFrom(3, 1)), [{ index: 3, duplicate: true }]);
  const narrow = await openWriter(log, { dedupWindow: 500, maxUnpublishedEntries: 500 });
  assert.deepEqual(await narrow.add(entriesFrom(1_600, 1)), [{ index: 1_600, duplicate: true }]);
  assert.deepEqual(await narrow.add(entriesFrom(3, 1)), [{ index: 2_000, duplicate: false }], 'beyond the window');
});

test('entries of 0, 1 and 65,535 bytes are logged byte for byte (LIMIT-1)', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  const entries = [
    new Uint8Array(),
    new Uint8Array([7]),
    new Uint8Array(65_535).fill(1),
    new Uint8Array(65_535).fill(2),
  ];
  assert.deepEqual(indices(await writer.add(entries)), [0, 1, 2, 3]);
  assert.deepEqual(
    (await audit(log)).map((entry) => Buffer.from(entry)),
    entries.map((entry) => Buffer.from(entry)),
  );
});

test('items of any sizes, cut and joined on their way, with duplicates: each distinct entry is logged once, in order', async () => {
  const entry = fc.tuple(fc.nat(12), fc.constantFrom(0, 5, 700, 3_000, 5_000));
  const items = fc.array(fc.array(entry, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(items, fc.integer({ min: 1, max: 70 }), async (all, maxBatchEntries) => {
      const log = await newLog();
      const { queue, sequencer } = await openWriter(log, { maxBatchEntries });
      const submitted = all.map((item) => item.map(([name, size]) => utf8(`${name} `.padEnd(size, '.'))));
      const answers = submitted.map((item) => queue.submit(item));
      await sequencer.drain();
      const texts = submitted.flat().map(String);
      const distinct = [...new Set(texts)];
      assert.deepEqual((await audit(log)).map(String), distinct);
      const outcomes = (await Promise.all(answers)).flatMap((receipt) => receipt.outcomes);
      assert.deepEqual(
        outcomes,
        texts.map((text, i) => ({ index: distinct.indexOf(text), duplicate: texts.indexOf(text) < i })),
      );
    }),
    { numRuns: 60 },
  );
});

test('a batch is bounded in bytes too, and a single large item makes several records', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { maxBatchBytes: 200_000 });
  const entries = Array.from({ length: 40 }, (_, i) => new Uint8Array(30_000).fill(i + 1));
  assert.deepEqual(
    indices(await writer.add(entries)),
    entries.map((_, i) => i),
  );
  assert.equal((await audit(log)).length, 40);
});

test('highly compressible and incompressible entries are read back by the next writer (CORRUPT-13)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(Array.from({ length: 250 }, (_, i) => new Uint8Array(60_000 + i)));
  await (await openWriter(log)).add([random(60_000)]);
  assert.equal((await audit(log)).length, 251);
});

test('a frozen log answers duplicates, refuses all else, and nobody unfreezes it', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 3));
  const frozen = await writer.sequencer.freeze();
  assert.equal(frozen.size, 3);
  assert.deepEqual(indices(await writer.add([...entriesFrom(1, 1), utf8('late')])), [1, 'the log is frozen']);
  const restarted = await openWriter(log);
  assert.deepEqual(indices(await restarted.add([utf8('later'), ...entriesFrom(2, 1)])), ['the log is frozen', 2]);
  assert.equal((await restarted.sequencer.freeze()).size, 3, 'freezing again is fine');
  assert.equal((await audit(log)).length, 3);
});

test('an empty log can be frozen', async () => {
  const log = await newLog();
  assert.equal((await (await openWriter(log)).sequencer.freeze()).size, 0);
  assert.deepEqual(indices(await (await openWriter(log)).add([utf8('x')])), ['the log is frozen']);
});

test('an idle log is signed again after the republish interval, once, with the same tree (PUB-4)', async () => {
  const log = await newLog();
  const first = await openWriter(log);
  await first.add(entriesFrom(0, 3));
  const publicStore = faulty(log.publicStore, () => undefined);
  const writer = await openWriter({ ...log, publicStore }, { republishMs: 60_000 });
  await writer.sequencer.drain();
  assert.equal(publicStore.calls.filter((call) => call.startsWith('replace')).length, 0);
  writer.clock.advance(60_001);
  await writer.sequencer.drain();
  assert.equal(publicStore.calls.filter((call) => call.startsWith('replace')).length, 1);
  assert.equal((await storedCheckpoint(log)).size, 3);
});

test('a clock that goes back an hour delays no publication (CLOCK-2)', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { publishIntervalMs: 1_000 });
  await writer.add(entriesFrom(0, 1));
  writer.clock.advance(-3_600_000);
  const before = writer.clock.now();
  await writer.add(entriesFrom(1, 1));
  assert.ok(writer.clock.now() - before <= 2_000);
});

test('run publishes what is submitted while it runs, and drains when it is told to stop (CRASH-6)', async () => {
  const log = await newLog();
  const writer = await openWriter(log, { publishIntervalMs: 5 });
  const stop = new AbortController();
  const running = writer.sequencer.run(stop.signal);
  assert.deepEqual(await writer.queue.submitOne(utf8('one')), { index: 0, duplicate: false });
  const last = writer.queue.submitOne(utf8('two'));
  stop.abort();
  assert.equal((await running).size >= 1, true);
  await Promise.race([last, writer.queue.close()]).catch(() => {});
  await audit(log);
});

test('every interruption of init is completed by the next init (FAULT-15)', async () => {
  for (const fault of ['lost', 'kept'] as const) {
    for (let k = 0; k < 12; k++) {
      const log = await emptyStores();
      let count = 0;
      const plan = (): 'lost' | 'kept' | undefined => (count++ === k ? fault : undefined);
      const broken = { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
      await initLog({ ...broken, signer, verifier, random }).catch((error) =>
        assert.ok(isSteleError(error), String(error)),
      );
      const { description } = await initLog({ ...log, signer, verifier, random });
      const again = await initLog({ ...log, signer, verifier, random });
      assert.deepEqual([again.created, again.description.id], [false, description.id]);
      await (await openWriter(log)).add(entriesFrom(0, 1));
      assert.equal((await audit(log)).length, 1);
    }
  }
});

test('init never resets a log of which something is left (CORRUPT-3)', async () => {
  const damage: ((log: TestLog) => Promise<void>)[] = [
    (log) => log.publicStore.delete('checkpoint'),
    (log) => log.privateStore.delete('log.json'),
    (log) => log.publicStore.delete('log.json'),
    async (log) => {
      await log.publicStore.delete('checkpoint');
      await log.publicStore.delete('log.json');
    },
    async (log) => {
      for (const key of await keysOf(log.privateStore)) await log.privateStore.delete(key);
    },
  ];
  for (const harm of damage) {
    const log = await newLog();
    await (await openWriter(log)).add(entriesFrom(0, 2));
    await harm(log);
    const before = await publicObjects(log);
    await assert.rejects(initLog({ ...log, signer, verifier, random }), (error) => isSteleError(error, 'refused'));
    assert.deepEqual(await publicObjects(log), before);
    await assert.rejects(openWriter(log), (error) => isSteleError(error, 'refused'));
  }
});

test('a key of another origin is told so before anything is read of the log', async () => {
  const log = await newLog();
  const { generateKey, parseSignerKey, parseVerifierKey } = await import('../../src/note/index.ts');
  const other = generateKey('log.example.com/other', random(32));
  const writer = await openWriter(log);
  await assert.rejects(
    Sequencer.open({
      ...log,
      queue: writer.queue,
      signer: parseSignerKey(other.skey),
      verifier: parseVerifierKey(other.vkey),
      clock: writer.clock,
      random,
      settings: { ...(await import('../../src/sequencer/index.ts')).DIRECTORY_SETTINGS },
    }),
    (error) => isSteleError(error, 'config') && /log\.example\.com\/other/.test(error.message),
  );
});

test('a sequencer that runs cannot be run, drained or frozen a second time meanwhile', async () => {
  const writer = await openWriter(await newLog());
  const stop = new AbortController();
  const running = writer.sequencer.run(stop.signal);
  for (const again of [writer.sequencer.drain(), writer.sequencer.freeze(), writer.sequencer.run(stop.signal)]) {
    await assert.rejects(again, (error) => isSteleError(error, 'busy'));
  }
  stop.abort();
  await running;
  await writer.sequencer.drain();
});
