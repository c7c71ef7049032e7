/** `recover` refuses, and writes nothing, where mending could sign below or beside what was signed before. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { generateKey, parseSignerKey, parseVerifierKey } from '../../src/note/index.ts';
import { recover } from '../../src/sequencer/index.ts';
import { recordKey } from '../../src/sequencer/record.ts';
import { metaFor, openStore } from '../../src/store/index.ts';
import {
  emptyStores,
  faulty,
  keysOf,
  ORIGIN,
  once,
  openWriter,
  random,
  signer,
  storedCheckpoint,
  utf8,
  verifier,
} from './harness.ts';
import {
  bytesOf,
  commitOnly,
  contents,
  copyOf,
  grow,
  grownLog,
  harm,
  type KnownLog,
  lookAt,
  mirrorOf,
  type Options,
  putRecord,
  restore,
  snapshot,
} from './recover-fixture.ts';

const small = await grownLog(300, 10);
const LAST = recordKey(300);

async function assertRefused(log: KnownLog, message: RegExp, options: Options = {}, code = 'refused'): Promise<void> {
  const before = await contents(log);
  await assert.rejects(lookAt(log, options), (error) => {
    assert.ok(isSteleError(error), String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
  assert.deepEqual(await contents(log), before, 'nothing was written');
}

/** The same log from size 300 on, in another history. */
async function fork(count: number): Promise<KnownLog> {
  const log = await grownLog(300);
  const other = await copyOf(log);
  await grow(log, 10);
  const forked = Array.from({ length: count }, (_, i) => utf8(`forked ${i}`));
  await (await openWriter(other)).add(forked);
  return { ...log, privateStore: other.privateStore, publicStore: log.publicStore, signed: [], entries: [] };
}

// Stores that do not belong together.

test('stores of two logs are mixed up: both are named, and there is nothing to mend', async () => {
  const other = await grownLog(300);
  await assertRefused(
    { ...small, privateStore: other.privateStore },
    /mixed up: mem:public.* is of the log .* of [0-9a-f]{32}/,
  );
});

test('the journal of another history of the same log is refused, however long it is', async () => {
  for (const count of [5, 10, 15, 300]) await assertRefused(await fork(count), /two histories/);
});

test('the journal of another history is refused where the published checkpoint is lost, too', async () => {
  for (const count of [5, 10, 15]) {
    const log = await fork(count);
    await log.publicStore.delete('checkpoint');
    await assertRefused(log, /two histories|another history|larger tree/);
  }
});

test('an older journal of another history is refused', async () => {
  const log = await copyOf(small);
  await log.privateStore.delete(LAST);
  await putRecord(log, 200, 20);
  await assertRefused(log, /do not make the root that journal\/0000000000000200 states for size 220.*two histories/);
});

test('a record that extends another tree of the signed size is refused', async () => {
  const log = await copyOf(small);
  await putRecord({ ...log, entries: log.entries.toReversed() }, 310, 5);
  await assertRefused(log, /0000000000000310 .* does not extend the tree of size 310 that is signed/);
});

test('a record beside another is refused', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 20, 'nothing');
  await putRecord(log, 315, 3);
  await assertRefused(log, /0000000000000315 .* does not extend the tree of size 330/);
});

test('a record behind a freeze, and bundles behind one, are refused', async () => {
  const log = await copyOf(small);
  const written = await copyOf(small);
  await commitOnly(written, 5, 'tiles');
  await (await openWriter(log)).sequencer.freeze();
  const frozen = await copyOf(log);
  await putRecord(frozen, 315, 3);
  await assertRefused(frozen, /frozen/);
  await restore(log.publicStore, await snapshot(written.publicStore));
  await assertRefused(log, /frozen at size 310, but bundles .* reach to 315/);
});

test('a late record at a vacated key never becomes the history, whatever else is lost (RACE-3)', async () => {
  const log = await grownLog(1, 1);
  await putRecord(log, 0, 5);
  await log.publicStore.delete('checkpoint');
  await assertRefused(log, /two histories/);
  await log.privateStore.delete(recordKey(1));
  await assertRefused(log, /two histories|another history/);
});

// Forks.

test('a mirror that has another history of this log is a fork, and nothing is written', async () => {
  for (const count of [5, 10, 15]) {
    const other = await fork(count);
    const mirror = await copyOf({ ...other, privateStore: (await emptyStores()).privateStore });
    const ours = await grownLog(300);
    await (await openWriter(ours)).add(Array.from({ length: count }, (_, i) => utf8(`ours ${i}`)));
    await assertRefused(ours, /signed two histories/, { from: mirror.publicStore }, 'fork');
  }
});

test('a fork is seen by the entries where the tiles are damaged', async () => {
  const other = await grownLog(300);
  const ours = await copyOf(other);
  await grow(other, 10);
  await (await openWriter(ours)).add([utf8('ours')]);
  await harm(other.publicStore, 'tile/0/001.p/54', 'missing');
  await assertRefused(ours, /do not make the root/, { from: other.publicStore });
});

test('what is no mirror of this log is refused', async () => {
  await assertRefused(small, /no checkpoint/, { from: await openStore('mem:empty') });
  const foreign = await mirrorOf(small);
  await harm(await openStore(foreign.url), 'checkpoint', 'flipped');
  await assertRefused(small, /is no mirror of/, { from: foreign });
});

// What is lost for good.

test('entries that neither the older public store nor the journal has are named, and a mirror is asked for', async () => {
  const log = await grownLog(300);
  const old = await snapshot(log.publicStore);
  await grow(log, 10);
  const between = await snapshot(log.publicStore);
  await grow(log, 300);
  await restore(log.publicStore, old);
  await assertRefused(log, /entries 300 to 309 are missing.*--from/);
  await restore(log.publicStore, new Map([...between, ['checkpoint', old.get('checkpoint') ?? utf8('')]]));
  assert.equal((await lookAt(log)).finding, 'public-older', 'the bundles between have them');
});

test('a mirror that is further behind than the gap does not help', async () => {
  const log = await grownLog(300);
  const from = await mirrorOf(log);
  await grow(log, 10);
  await grow(log, 10);
  await restore(log.publicStore, new Map());
  await assertRefused(log, /entries 300 to 309 are missing/, { from });
});

test('a bundle that is missing or damaged without a copy is named (CORRUPT-8)', async () => {
  for (const kind of ['missing', 'flipped', 'torn', 'long'] as const) {
    const log = await copyOf(small);
    await harm(log.publicStore, 'tile/entries/000', kind);
    await assertRefused(log, /tile\/entries\/000.*--from/);
  }
});

test('a lost checkpoint beside a lost journal is refused: nothing says how large the log was (CORRUPT-4)', async () => {
  const log = await copyOf(small);
  await log.publicStore.delete('checkpoint');
  await log.privateStore.delete(LAST);
  await assertRefused(log, /nothing says how large this log was.*--from/);
});

test('a first commit that cannot be read is refused, and set aside where its loss is accepted (DISK-4)', async () => {
  const log = await grownLog();
  await commitOnly(log, 5, 'nothing');
  const whole = await bytesOf(log.privateStore, recordKey(0));
  const before = await snapshot(log.privateStore);
  for (let length = 0; length < whole.length; length += 9) {
    await restore(log.privateStore, new Map([...before, [recordKey(0), whole.slice(0, length)]]));
    await assertRefused(log, /cannot be read.*--accept-loss/);
  }
  await (await lookAt(log, { acceptLoss: true })).apply();
  assert.deepEqual(await keysOf(log.privateStore, 'journal/'), []);
  assert.equal((await lookAt(log)).finding, 'healthy');
});

test('an accepted loss does not extend to records that can be read behind it', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'nothing');
  await putRecord(log, 315, 3);
  await harm(log.privateStore, recordKey(310), 'torn');
  await assertRefused(log, /entries 310 to 314 are missing/, { acceptLoss: true });
});

// Evidence of more than can be had.

test('tiles beyond every entry that is there are evidence of a checkpoint, and refused', async () => {
  for (const tile of ['tile/0/001.p/59', 'tile/1/000.p/2', 'tile/2/000.p/1', 'tile/entries/002']) {
    const log = await copyOf(small);
    await log.publicStore.create(tile, new Uint8Array(32), metaFor(tile));
    await assertRefused(log, new RegExp(`${tile} .* larger tree`));
  }
});

test('with the journal lost, a tile that contradicts the bundles beyond what is signed is refused', async () => {
  for (const [key, message] of [
    ['tile/0/001', /tile\/0\/001 .* another history/],
    ['tile/0/002.p/98', /tile\/0\/002\.p\/98 .* another history/],
    ['tile/1/000.p/2', /tile\/1\/000\.p\/2 .* another history/],
    ['tile/entries/001', /tile\/(0|entries)\/001 .*--from/],
  ] as const) {
    const log = await grownLog(300, 10);
    await commitOnly(log, 300, 'tiles');
    await log.privateStore.delete(LAST);
    await log.privateStore.delete(recordKey(310));
    await harm(log.publicStore, key, 'flipped');
    await assertRefused(log, message);
  }
});

test('with the journal lost, narrower tiles of what is not signed must agree, too', async () => {
  const log = await grownLog(300, 10);
  const checkpoint = await bytesOf(log.publicStore, 'checkpoint');
  await grow(log, 5);
  await grow(log, 5);
  await restore(log.publicStore, new Map([...(await snapshot(log.publicStore)), ['checkpoint', checkpoint]]));
  for (const key of await keysOf(log.privateStore, 'journal/')) await log.privateStore.delete(key);
  assert.equal((await lookAt(log)).size, 320);
  await harm(log.publicStore, 'tile/0/001.p/59', 'flipped');
  await assertRefused(log, /tile\/0\/001\.p\/59 .* another history/);
});

test('a tile without its bundle that contradicts the journal beyond what is signed is refused', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'tiles');
  await log.publicStore.delete('tile/entries/001.p/59');
  await harm(log.publicStore, 'tile/0/001.p/59', 'flipped');
  await assertRefused(log, /another history/);
});

// Keys and folders.

test('without a checkpoint only the key that log.json names may sign', async () => {
  const { skey, vkey } = generateKey(ORIGIN, createHash('sha256').update('another').digest());
  const log = await copyOf(small);
  await log.publicStore.delete('checkpoint');
  const keys = { signer: parseSignerKey(skey), verifier: parseVerifierKey(vkey) };
  const wrong = recover({ ...log, ...keys, random });
  await assert.rejects(wrong, (error) => isSteleError(error, 'config') && /log\.json/.test(error.message));
  const mixed = recover({ ...log, signer: keys.signer, verifier, random });
  await assert.rejects(mixed, (error) => isSteleError(error, 'config'));
  await assert.rejects(recover({ ...small, ...keys, random }), (error) => isSteleError(error, 'config'));
  assert.equal((await recover({ ...log, signer, verifier, random })).finding, 'checkpoint-lost');
});

test('stores without any log.json are no log', async () => {
  await assertRefused({ ...(await emptyStores()), signed: [], entries: [] }, /log\.json is missing/, {}, 'config');
});

test('another writer that publishes meanwhile makes applying fail, and its checkpoint stays', async () => {
  const log = await copyOf(small);
  await log.privateStore.delete(LAST);
  const [first, second] = [await lookAt(log), await lookAt(log)];
  await first.apply();
  await assert.rejects(second.apply(), (error) => isSteleError(error, 'conflict'));
  await log.publicStore.delete('checkpoint');
  const rival = async (): Promise<void> => {
    await (await lookAt(log)).apply();
    await grow(log, 5);
  };
  const plan = once((operation) => operation === 'replace', { before: rival });
  const third = await lookAt({ ...log, publicStore: faulty(log.publicStore, plan) });
  await assert.rejects(third.apply(), (error) => isSteleError(error, 'precondition-failed'));
  assert.equal((await storedCheckpoint(log)).size, 315, 'what the rival published');
});

test('a sequencer that published since recover looked, as a bucket lets it, makes applying refuse before it writes anything', async () => {
  const log = await grownLog(300, 10);
  await commitOnly(log, 5, 'nothing');
  await harm(log.publicStore, 'tile/0/000', 'flipped');
  const { apply, writes } = await lookAt(log);
  assert.equal(writes.length, 1);
  const narrow = { dedupWindow: 20, maxUnpublishedEntries: 20 }; // so that it does not look at that tile
  await (await openWriter(log, narrow)).sequencer.drain();
  const before = await contents(log);
  await assert.rejects(
    apply(),
    /the checkpoint in .* changed while recover was at work: stop every writer of this log/,
  );
  assert.deepEqual(await contents(log), before);
});
