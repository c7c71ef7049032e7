/** What a publication costs: the objects it writes, and on a directory the flushes (DESIGN §5, "Cadence"). */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { initLog } from '../../src/sequencer/index.ts';
import { directoryUrl, metaFor, type NewObject, openStore } from '../../src/store/index.ts';
import { entriesFrom, keysOf, newLog, openWriter, random, signer, type TestLog, verifier } from './harness.ts';

/** The public store, and what `createAll` was asked for. */
function recording(log: TestLog): { log: TestLog; created: NewObject[] } {
  const created: NewObject[] = [];
  const publicStore = {
    ...log.publicStore,
    createAll: (objects: Iterable<NewObject>) => {
      const all = [...objects];
      created.push(...all);
      return log.publicStore.createAll(all);
    },
  };
  return { log: { ...log, publicStore }, created };
}

/** From, to, and how many tiles and bundles that publication writes: with journal and checkpoint, two less than PUTs. */
const COSTS = [
  { from: 5, to: 6, objects: 2, why: 'within one tile: 4 PUTs' },
  { from: 255, to: 256, objects: 3, why: 'a tile that ends full: its bundle, itself, one hash above' },
  { from: 250, to: 260, objects: 5, why: 'across a level-0 boundary: 7 PUTs' },
  { from: 257, to: 513, objects: 5, why: '256 entries' },
  { from: 65_530, to: 65_540, objects: 6, why: 'across a level-1 boundary: one more, on level 2' },
] as const;

for (const { from, to, objects, why } of COSTS) {
  test(`growing from ${from} to ${to} writes ${objects} tiles and bundles, ${why} (GROW-6)`, async () => {
    const log = await newLog();
    await (await openWriter(log)).add(entriesFrom(0, from));
    const spied = recording(log);
    const writer = await openWriter(spied.log);
    await writer.add(entriesFrom(from, to - from));
    assert.deepEqual(spied.created.length, objects, spied.created.map(({ key }) => key).join(' '));
  });
}

test('two rounds from 261 entries leave exactly these objects, each with the headers of its class (GROW-7)', async () => {
  const log = await newLog();
  await (await openWriter(log)).add(entriesFrom(0, 261));
  const spied = recording(log);
  const writer = await openWriter(spied.log);
  await writer.add(entriesFrom(261, 1));
  await writer.add(entriesFrom(262, 250));
  assert.deepEqual(await keysOf(log.publicStore), [
    'checkpoint',
    'log.json',
    ...['000', '001', '001.p/5', '001.p/6'].map((name) => `tile/0/${name}`),
    ...['000.p/1', '000.p/2'].map((name) => `tile/1/${name}`),
    ...['000', '001', '001.p/5', '001.p/6'].map((name) => `tile/entries/${name}`),
  ]);
  assert.deepEqual(await keysOf(log.privateStore), ['journal/0000000000000262', 'log.json']);
  for (const { key, meta } of spied.created) {
    assert.deepEqual(meta, metaFor(key));
    assert.match(meta.cacheControl, /immutable/);
  }
});

test('the flushes of a round depend on the objects it makes, not on its entries (GROW-10)', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'stele-cost-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  let flushes = 0;
  const observer = { onFlush: () => flushes++ };
  const open = (name: string) => openStore(directoryUrl(join(folder, name)), { observer });
  const log = { publicStore: await open('public'), privateStore: await open('private') };
  await initLog({ ...log, signer, verifier, random });
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 3));
  const counted: number[] = [];
  for (let round = 0, at = 3; round < 6; round++) {
    const entries = 1 + round * 7;
    flushes = 0;
    await writer.add(entriesFrom(at, entries));
    at += entries;
    counted.push(flushes);
  }
  // Record and its folder; tile, bundle and their two folders; checkpoint and its folder; the collected record's folder.
  assert.deepEqual(counted, [9, 9, 9, 9, 9, 9]);
  await log.publicStore.close();
  await log.privateStore.close();
});
