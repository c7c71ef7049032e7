/** `recover` mends: every case of DESIGN §5, and after each the log goes on as one history (O7). */

import assert from 'node:assert/strict';
import test from 'node:test';
import { recordKey } from '../../src/sequencer/record.ts';
import { entriesFrom, indices, keysOf, openWriter, storedCheckpoint, utf8 } from './harness.ts';
import {
  assertGoesOn,
  bytesOf,
  commitOnly,
  contents,
  copyOf,
  grow,
  grownLog,
  type Harm,
  harm,
  type KnownLog,
  lookAt,
  mend,
  mirrorOf,
  putRecord,
  restore,
  snapshot,
} from './recover-fixture.ts';

const ALL_HARMS: readonly Harm[] = ['missing', 'flipped', 'torn', 'long'];
const small = await grownLog(300, 10);
const EDGE_BUNDLE = 'tile/entries/001.p/54';
const EDGE_TILE = 'tile/0/001.p/54';
const LAST = recordKey(300);

async function withoutPrivate(log: KnownLog): Promise<KnownLog> {
  const copy = await copyOf(log);
  await restore(copy.privateStore, new Map());
  return copy;
}

test('a healthy log is left as it is, whatever its size', async () => {
  for (const batches of [[], [5], [256], [300, 10], [512], [1, 1, 1]]) {
    const log = await grownLog(...batches);
    const before = await contents(log);
    const { finding, writes, apply } = await lookAt(log);
    assert.deepEqual([finding, writes], ['healthy', []]);
    assert.deepEqual((await apply()).size, log.entries.length);
    assert.deepEqual(await contents(log), before);
    await assertGoesOn(log);
  }
});

test('commits that wait for their publication are healthy, and left to the next writer', async () => {
  for (const written of ['nothing', 'tiles'] as const) {
    const log = await grownLog(300, 10);
    await commitOnly(log, 300, written);
    const before = await contents(log);
    const { finding, evidence, writes } = await lookAt(log);
    assert.deepEqual([finding, writes], ['healthy', []]);
    assert.match(evidence.join('\n'), /goes on from the signed size 310 to 610/);
    assert.deepEqual(await contents(log), before);
    await assertGoesOn(log);
  }
});

test('stray records that were created late, at vacated keys, are not looked at (RACE-3)', async () => {
  const log = await copyOf(small);
  for (const [base, count] of [
    [0, 5],
    [255, 200],
  ] as const) {
    await putRecord(log, base, count);
  }
  assert.equal((await lookAt(log)).finding, 'healthy');
});

test('a log whose creation was interrupted is sent to init', async () => {
  const log = await grownLog();
  await log.publicStore.delete('checkpoint');
  const { finding, evidence, writes, apply } = await lookAt(log);
  assert.deepEqual([finding, writes], ['creation-incomplete', []]);
  assert.match(evidence.join(), /stele init/);
  await assert.rejects(apply(), /stele init/);
});

// The private store.

test('a lost private store is made anew, with the old id and a record that ends at the published size (CORRUPT-3)', async () => {
  for (const batches of [[], [1], [256], [300, 10], [300, 212]]) {
    const grown = await grownLog(...batches);
    const log = await withoutPrivate(grown);
    const { finding, evidence, size } = await mend(log);
    assert.deepEqual([finding, size], ['private-lost', log.entries.length]);
    assert.match(evidence.join('\n'), /taken to be current.*freeze it again/s);
    assert.deepEqual(await bytesOf(log.privateStore, 'log.json'), await bytesOf(grown.publicStore, 'log.json'));
  }
});

test('with the private store lost, tiles of commits that were about to be published are published', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 300, 'tiles');
  const { finding, evidence, size } = await mend(await withoutPrivate(log));
  assert.deepEqual([finding, size], ['private-lost', 610]);
  assert.match(evidence.join('\n'), /bundles in .* go on to size 610/);
});

test('with the private store lost, a bundle whose tile was not written yet still belongs to the log', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'tiles');
  await log.publicStore.delete('tile/0/001.p/59');
  assert.equal((await mend(await withoutPrivate(log))).size, 315);
});

test('a boundary record of the longest entries starts where it fits into 16 MiB (LIMIT)', async () => {
  const log = await grownLog();
  const long = Array.from({ length: 256 }, (_, i) => new Uint8Array(65_535).fill(i));
  await (await openWriter(log)).add(long);
  log.entries.push(...long);
  const lost = await withoutPrivate(log);
  const { apply } = await lookAt(lost);
  await apply();
  assert.deepEqual(await keysOf(lost.privateStore, 'journal/'), [recordKey(1)]);
  assert.equal((await lookAt(lost)).finding, 'healthy');
  assert.deepEqual(indices(await (await openWriter(lost)).add([utf8('on')])), [256]);
});

test('a private store that went back in time is brought to the published size (CORRUPT-5)', async () => {
  const log = await grownLog(300);
  const old = await snapshot(log.privateStore);
  await grow(log, 10);
  await grow(log, 400);
  await restore(log.privateStore, old);
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['private-older', 710]);
});

test('a private log.json, or a public one, that is gone or damaged is written again with the id of the other', async () => {
  for (const kind of ALL_HARMS.filter((each) => each !== 'long')) {
    for (const store of ['publicStore', 'privateStore'] as const) {
      const log = await copyOf(small);
      await harm(log[store], 'log.json', kind);
      const { finding } = await mend(log);
      assert.equal(finding, store === 'publicStore' ? 'description-lost' : 'private-lost');
      assert.deepEqual(await bytesOf(log[store], 'log.json'), await bytesOf(small[store], 'log.json'));
    }
  }
});

// The public store.

test('a public store that went back in time is brought forward by a journal that reaches back to it (CORRUPT-9)', async () => {
  const log = await grownLog(300);
  const old = await snapshot(log.publicStore);
  await grow(log, 10);
  await restore(log.publicStore, old);
  const { finding, size, evidence } = await mend(log);
  assert.deepEqual([finding, size], ['public-older', 310]);
  assert.match(evidence.join('\n'), /size 300.*from size 300 to size 310/s);
});

async function olderByTwo(): Promise<{ log: KnownLog; old: Awaited<ReturnType<typeof snapshot>> }> {
  const log = await grownLog(300);
  const old = await snapshot(log.publicStore);
  await grow(log, 10);
  await grow(log, 300);
  return { log, old };
}

test('what neither the older public store nor the journal has is taken from a mirror (CORRUPT-9)', async () => {
  const { log, old } = await olderByTwo();
  const from = await mirrorOf(log);
  await restore(log.publicStore, old);
  assert.deepEqual((await mend(log, { from })).finding, 'public-older');
  assert.equal(log.entries.length, 610);
});

test('a mirror that is behind helps with what it has, the journal with the rest', async () => {
  const log = await grownLog(300);
  const old = await snapshot(log.publicStore);
  await grow(log, 10);
  const from = await mirrorOf(log);
  await grow(log, 300);
  await restore(log.publicStore, old);
  const { finding, size } = await mend(log, { from });
  assert.deepEqual([finding, size], ['public-older', 610]);
});

test('an older checkpoint beside the newer bundles is brought forward without a mirror (CORRUPT-9)', async () => {
  const { log, old } = await olderByTwo();
  await log.publicStore.delete('checkpoint');
  await log.publicStore.create('checkpoint', old.get('checkpoint') ?? utf8(''), { contentType: '', cacheControl: '' });
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['public-older', 610]);
});

test('records on both sides of a gap, whose bundles are there, need a checkpoint beyond it', async () => {
  const log = await grownLog(300);
  const checkpoint = await bytesOf(log.publicStore, 'checkpoint');
  const record = await bytesOf(log.privateStore, recordKey(0));
  await grow(log, 10);
  await grow(log, 300);
  await restore(log.publicStore, new Map([...(await snapshot(log.publicStore)), ['checkpoint', checkpoint]]));
  await restore(log.privateStore, new Map([...(await snapshot(log.privateStore)), [recordKey(0), record]]));
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['public-older', 610]);
});

test('an older checkpoint and an older journal beside newer bundles: what the bundles have belongs to the log', async () => {
  const log = await grownLog(300);
  const [old, oldPrivate] = [await snapshot(log.publicStore), await snapshot(log.privateStore)];
  await grow(log, 10);
  await grow(log, 300);
  await restore(log.publicStore, new Map([...(await snapshot(log.publicStore)), ...old]));
  await restore(log.privateStore, oldPrivate);
  const { finding, size, evidence } = await mend(log);
  assert.deepEqual([finding, size], ['public-older', 610]);
  assert.match(evidence.join('\n'), /bundles in .* go on to size 610/);
});

test('an emptied public store is filled from a mirror', async () => {
  const log = await copyOf(small);
  const from = await mirrorOf(log);
  await restore(log.publicStore, new Map());
  assert.deepEqual((await mend(log, { from })).finding, 'checkpoint-lost');
});

test('both stores lost but one log.json: a mirror brings the log back', async () => {
  const log = await copyOf(small);
  const from = await mirrorOf(log);
  await restore(log.publicStore, new Map());
  for (const key of await keysOf(log.privateStore, 'journal/')) await log.privateStore.delete(key);
  assert.equal((await mend(log, { from })).size, 310);
});

test('a checkpoint that is gone or damaged is signed again at the size where the journal ends (CORRUPT-1, CORRUPT-4)', async () => {
  for (const kind of ALL_HARMS) {
    const log = await copyOf(small);
    await harm(log.publicStore, 'checkpoint', kind);
    const { finding, size } = await mend(log);
    assert.deepEqual([finding, size], ['checkpoint-lost', 310]);
  }
});

test('a lost checkpoint comes back above what an older journal knows, where the bundles go on', async () => {
  const log = await grownLog(300);
  const old = await snapshot(log.privateStore);
  await grow(log, 10);
  await restore(log.privateStore, old);
  await log.publicStore.delete('checkpoint');
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['checkpoint-lost', 310]);
});

test('a lost checkpoint beside a commit that was not published comes back with that commit', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'nothing');
  await log.publicStore.delete('checkpoint');
  assert.equal((await mend(log)).size, 315);
});

test('a frozen log stays frozen when its checkpoint or the record before the freeze is mended', async () => {
  for (const lost of ['checkpoint', LAST]) {
    const log = await copyOf(small);
    await (await openWriter(log)).sequencer.freeze();
    await (lost === LAST ? log.privateStore : log.publicStore).delete(lost);
    const { apply } = await lookAt(log);
    assert.equal((await apply()).size, 310);
    assert.equal((await lookAt(log)).finding, 'healthy');
    assert.deepEqual(indices(await (await openWriter(log)).add([utf8('late')])), ['the log is frozen']);
    assert.equal((await storedCheckpoint(log)).size, 310);
  }
});

// The journal.

test('a boundary record that is missing or damaged is made anew, and what was there is set aside (CORRUPT-5)', async () => {
  for (const kind of ALL_HARMS) {
    const log = await copyOf(small);
    await harm(log.privateStore, LAST, kind);
    const { finding, size } = await mend(log);
    assert.deepEqual([finding, size], ['journal-damaged', 310]);
    const aside = await keysOf(log.privateStore, 'journal-set-aside/');
    assert.deepEqual(aside, kind === 'missing' ? [] : [`journal-set-aside/0000000000000300-0`]);
  }
});

test('a boundary record torn at any length is mended (DISK-4)', async () => {
  const whole = await bytesOf(small.privateStore, LAST);
  const log = await copyOf(small);
  const before = await snapshot(log.privateStore);
  for (let length = 0; length < whole.length; length += length < 140 ? 5 : 1) {
    await restore(log.privateStore, new Map([...before, [LAST, whole.slice(0, length)]]));
    const { finding, apply } = await lookAt(log);
    assert.equal(finding, 'journal-damaged', `${length} bytes`);
    await apply();
    assert.equal((await lookAt(log)).finding, 'healthy', `${length} bytes`);
  }
});

test('records set aside twice keep both copies, and the same one once', async () => {
  const log = await copyOf(small);
  await harm(log.privateStore, LAST, 'flipped');
  const flipped = await bytesOf(log.privateStore, LAST);
  await log.privateStore.create('journal-set-aside/0000000000000300-0', utf8('earlier'), {
    contentType: '',
    cacheControl: '',
  });
  await (await lookAt(log)).apply();
  assert.deepEqual(await bytesOf(log.privateStore, 'journal-set-aside/0000000000000300-1'), flipped);
  await restore(log.privateStore, new Map([...(await snapshot(log.privateStore)), [LAST, flipped]]));
  await (await lookAt(log)).apply();
  assert.equal((await keysOf(log.privateStore, 'journal-set-aside/')).length, 2);
});

test('a damaged boundary record leaves the commits behind it, and they are published by the next writer', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'nothing');
  await harm(log.privateStore, LAST, 'torn');
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['journal-damaged', 310]);
});

test('a commit that cannot be read is set aside only where its loss is accepted (DISK-4)', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'nothing');
  await harm(log.privateStore, recordKey(310), 'torn');
  await assert.rejects(lookAt(log), /journal\/0000000000000310.*--accept-loss/);
  log.entries.length = 310;
  const { finding, size } = await mend(log, { acceptLoss: true });
  assert.deepEqual([finding, size], ['journal-damaged', 310]);
  assert.deepEqual(await keysOf(log.privateStore, 'journal-set-aside/'), ['journal-set-aside/0000000000000310-0']);
});

test('a commit that cannot be read, but whose bundles were written, is in them where its loss is accepted', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'tiles');
  await harm(log.privateStore, recordKey(310), 'torn');
  await assert.rejects(lookAt(log), /--accept-loss/);
  assert.equal((await mend(log, { acceptLoss: true })).size, 315);
});

test('a commit that cannot be read is set aside, not collected, where its bundles reach far beyond it', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 300, 'tiles');
  await harm(log.privateStore, recordKey(310), 'torn');
  assert.equal((await mend(log, { acceptLoss: true })).size, 610);
  assert.deepEqual(await keysOf(log.privateStore, 'journal-set-aside/'), ['journal-set-aside/0000000000000310-0']);
});

test('a record of another log in the way is set aside', async () => {
  const log = await copyOf(small);
  const other = await grownLog(310, 5);
  await log.privateStore.create(recordKey(310), await bytesOf(other.privateStore, recordKey(310)), {
    contentType: '',
    cacheControl: '',
  });
  assert.equal((await mend(log)).finding, 'journal-damaged');
});

test('a damaged record below the boundary record is nobody’s business (CORRUPT-6)', async () => {
  const log = await copyOf(small);
  await log.privateStore.create(recordKey(200), utf8('rubbish'), { contentType: '', cacheControl: '' });
  assert.equal((await lookAt(log)).finding, 'healthy');
});

// Tiles and bundles.

test('an edge tile of any level that is missing or damaged is rebuilt from the entries (CORRUPT-7)', async () => {
  const log = await grownLog(66_000);
  const entries = entriesFrom(0, 66_000);
  assert.equal(entries.length, log.entries.length);
  const whole = await snapshot(log.publicStore);
  for (const key of ['tile/0/257.p/208', 'tile/1/001.p/1', 'tile/2/000.p/1', 'tile/1/000', 'tile/0/100']) {
    for (const kind of ['missing', 'flipped'] as const) {
      await harm(log.publicStore, key, kind);
      const { finding, writes, apply } = await lookAt(log);
      assert.equal(finding, 'tiles-damaged');
      assert.deepEqual(writes, [
        `${key} in ${log.publicStore.url}, which is ${kind === 'missing' ? 'missing' : 'damaged'}`,
      ]);
      await apply();
      assert.deepEqual(await bytesOf(log.publicStore, key), whole.get(key));
    }
  }
  await assertGoesOn(log);
});

test('the tiles of an edge that are gone all together are rebuilt', async () => {
  const log = await copyOf(small);
  for (const key of [EDGE_TILE, 'tile/0/000', 'tile/1/000.p/1']) await log.publicStore.delete(key);
  assert.equal((await mend(log)).finding, 'tiles-damaged');
});

test('a bundle that is missing or damaged comes from a mirror (CORRUPT-8)', async () => {
  for (const key of ['tile/entries/000', EDGE_BUNDLE]) {
    for (const kind of ALL_HARMS) {
      const log = await copyOf(small);
      await harm(log.publicStore, key, kind);
      await harm(log.publicStore, key.replace('entries', '0'), kind);
      await log.publicStore.delete('tile/entries/001.p/44');
      const { finding } = await mend(log, { from: small.publicStore });
      assert.equal(finding, 'tiles-damaged', `${key} ${kind}`);
    }
  }
});

test('a bundle damaged where only a narrower tile would confirm it comes from a mirror', async () => {
  const log = await copyOf(small);
  const bytes = await bytesOf(log.publicStore, EDGE_BUNDLE);
  bytes[bytes.length - 1] = 0;
  await restore(log.publicStore, new Map([...(await snapshot(log.publicStore)), [EDGE_BUNDLE, bytes]]));
  await log.publicStore.delete(EDGE_TILE);
  await log.privateStore.delete(LAST);
  assert.equal((await mend(log, { from: small.publicStore })).finding, 'journal-damaged');
});

test('the edge bundle is put together from a narrower one and the journal (CORRUPT-8)', async () => {
  for (const kind of ALL_HARMS) {
    const log = await copyOf(small);
    await harm(log.publicStore, EDGE_BUNDLE, kind);
    assert.equal((await mend(log)).finding, 'tiles-damaged');
  }
});

test('the edge bundle of a log of one batch is taken from the journal alone', async () => {
  const log = await grownLog(300);
  await harm(log.publicStore, 'tile/entries/001.p/44', 'missing');
  await harm(log.publicStore, 'tile/entries/000', 'flipped');
  assert.equal((await mend(log)).finding, 'tiles-damaged');
});

test('a damaged object beyond the published size is mended before a writer trips over it', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 300, 'tiles');
  await harm(log.publicStore, 'tile/0/001', 'flipped');
  await harm(log.publicStore, 'tile/1/000.p/2', 'flipped');
  await harm(log.publicStore, 'tile/entries/002.p/98', 'torn');
  const { finding, size } = await mend(log);
  assert.deepEqual([finding, size], ['tiles-damaged', 310]);
});
