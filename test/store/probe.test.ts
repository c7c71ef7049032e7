/** What DESIGN §4 asks of a bucket before anything is written to it. */

import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { openStore, openWriterStores, probeStore } from '../../src/store/index.ts';
import { type Rule, startS3Stub } from './s3-stub/index.ts';

const stub = await startS3Stub();
beforeEach(() => stub.reset());
after(() => stub.close());

test('an honest bucket passes, at a bounded price, and nothing is left behind', async () => {
  const store = await openStore(stub.storeUrl('honest/prefix'));
  await probeStore(store);
  assert.deepEqual(stub.keys('honest'), []);
  const { PUT, GET, LIST, DELETE } = stub.counts;
  assert.ok(PUT >= 64 && PUT <= 80, `${PUT} PUTs`);
  assert.ok(GET + LIST + DELETE <= 45, `${GET} GETs, ${LIST} lists, ${DELETE} deletes`);
  await store.close();
});

const lies: [string, Rule, RegExp][] = [
  ['conditions are ignored', { do: 'ignore-conditions' }, /32 concurrent creates .* exactly one wins, and 32 did/],
  [
    'If-Match is ignored',
    { do: 'ignore-conditions', key: /swap$/ },
    /32 concurrent swaps .* exactly one wins, and 32 did/,
  ],
  ['a swap of what is absent is done', { do: 'ignore-conditions', key: /absent$/ }, /a swap of what is absent loses/],
  ['a proxy changes versions', { do: 'weaken-version' }, /a swap of the version that was just read wins/],
  ['a create after a delete is refused', { do: 'remember-deleted' }, /a create after a delete wins/],
  ['lists lag behind', { do: 'stale-list' }, /a list shows what is there/],
];
for (const [what, rule, message] of lies) {
  test(`refused: ${what}`, async () => {
    const url = stub.storeUrl(`liar-${lies.findIndex(([name]) => name === what)}/prefix`);
    stub.misbehave(rule);
    await assert.rejects(
      openWriterStores({ publicStore: url, privateStore: url }, { waitMs: 0, holder: 'test' }),
      (error) => {
        assert.ok(isSteleError(error, 'config'));
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(url), 'it names the store');
        return true;
      },
    );
    assert.deepEqual(stub.keys(new URL(url).pathname.split('/')[1] ?? ''), [], 'nothing is left behind');
  });
}

test('a writer probes each store once in the life of a process, a reader never', async () => {
  const urls = { publicStore: stub.storeUrl('once/public'), privateStore: stub.storeUrl('once/private') };
  const probes: string[] = [];
  for (let round = 0; round < 2; round++) {
    stub.reset();
    const stores = await openWriterStores(urls, { waitMs: 0, holder: 'test' });
    probes.push(`${stub.counts.PUT >= 128}`);
    await stores.close();
  }
  assert.deepEqual(probes, ['true', 'false']);
});

test('a bucket that cannot be reached is not called a liar', async () => {
  const store = await openStore(stub.storeUrl('slow'), {
    retries: { clock: { now: () => 0, sleep: async () => {} }, random: () => 0, attempts: 2 },
  });
  stub.misbehave({ do: 'refuse', kind: 'PUT' });
  await assert.rejects(probeStore(store), (error) => isSteleError(error, 'outcome-unknown', 'unreachable'));
  await store.close();
});

test('answers that are lost, up to one in twenty-five, neither make an honest bucket a liar nor stop the probe', async () => {
  const store = await openStore(stub.storeUrl('lossy/prefix'));
  for (const skip of [0, 7, 33]) {
    stub.reset();
    for (let i = 0; i < 3; i++) stub.misbehave({ do: 'drop-answer', kind: 'PUT', skip: skip + 25 * i, times: 1 });
    await probeStore(store);
  }
  // Of a race that is lost by all who were answered, the winner is one of those who were not.
  stub.reset();
  stub.misbehave({ do: 'drop-answer', kind: 'PUT', key: /create$/, times: 1 });
  await probeStore(store);
  assert.deepEqual(stub.keys('lossy'), []);
  await store.close();
});

test('a liar is found out although answers are lost', async () => {
  const store = await openStore(stub.storeUrl('lossy-liar/prefix'));
  stub.misbehave({ do: 'ignore-conditions' });
  for (let i = 0; i < 20; i++) stub.misbehave({ do: 'drop-answer', kind: 'PUT', skip: 25 * i, times: 1 });
  await assert.rejects(
    probeStore(store),
    (error) => isSteleError(error, 'config') && /exactly one wins/.test(error.message),
  );
  await store.close();
});
