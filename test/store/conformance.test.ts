import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  conformance,
  type KeptOrBroken,
  metaFor,
  type ObjectStore,
  openDirectory,
  openMemory,
  openStore,
  runConformance,
} from '../../src/store/index.ts';
import { ModelFs } from './model-fs.ts';
import { startS3Stub } from './s3-stub/index.ts';

const base = await mkdtemp(join(tmpdir(), 'stele-conformance-'));
const stub = await startS3Stub();
after(async () => {
  await stub.close();
  await rm(base, { recursive: true });
});

async function resultsOf(open: () => Promise<ObjectStore>): Promise<Map<string, KeptOrBroken>> {
  const results = new Map<string, KeptOrBroken>();
  const report = await runConformance(open, (result) => results.set(result.name, result));
  const broken = [...results.values()].filter((result) => result.broken !== undefined);
  assert.deepEqual(report, { kept: conformance.length - broken.length, broken: broken.length });
  return results;
}

const stores: [string, () => Promise<ObjectStore>][] = [
  ['directory', () => openStore(`file://${base}/store`)],
  ['memory', () => openStore('mem:conformance')],
  ['bucket (of the stub)', () => openStore(stub.storeUrl('conformance/some/prefix'))],
];
for (const [kind, open] of stores) {
  test(`a ${kind} keeps every promise that a log relies on, and is left as it was (STORE-13)`, async () => {
    for (const { promise, broken } of (await resultsOf(open)).values()) {
      assert.ifError(broken && new Error(`${promise}: ${broken}`));
    }
    const store = await open();
    for await (const { key } of store.list('')) {
      assert.fail(`${key} is left behind`);
    }
    await store.close();
  });
}

test('a store that forgets a condition, an order or an absence is found out (STORE-1, STORE-2)', async () => {
  const store = openMemory('careless');
  const meta = metaFor('x');
  const overwriting = async (key: string, bytes: Uint8Array) => {
    // In memory each of these happens at once, so nothing comes between.
    await Promise.all([store.delete(key), store.create(key, bytes, meta)]);
  };
  const cases: [string, Partial<ObjectStore>, string[]][] = [
    [
      'ignores If-None-Match',
      {
        async create(key, bytes) {
          await overwriting(key, Buffer.concat([bytes].flat()));
          return true;
        },
      },
      ['create-once', 'create-race'],
    ],
    [
      'ignores If-Match',
      {
        async replace(key, bytes) {
          await overwriting(key, bytes);
          return (await store.get(key))?.etag ?? 'none';
        },
      },
      ['replace', 'replace-absent', 'swap-race'],
    ],
    ['checks, then writes', { create: checkThenWrite(store) }, ['create-race', 'create-after-delete']],
    ['lists in no order', { list: (prefix) => reversed(store.list(prefix)) }, ['list-order', 'list-prefix']],
    ['lists 1,000 keys', { list: (prefix) => first(store.list(prefix), 1_000) }, ['list-many']],
    ['answers absent objects with empty ones', { get: async (key) => (await store.get(key)) ?? EMPTY }, ['absent']],
    [
      'drops what createAll finds in its way',
      { createAll: async () => undefined },
      ['create-all', 'create-all-conflict'],
    ],
  ];
  for (const [habit, methods, promises] of cases) {
    const results = await resultsOf(async () => ({ ...store, ...methods }));
    for (const name of promises) {
      assert.notEqual(results.get(name)?.broken, undefined, `a store that ${habit} keeps ${name}`);
    }
    for await (const { key } of store.list('')) {
      await store.delete(key);
    }
  }
});

const EMPTY = { bytes: new Uint8Array(), etag: '' };

function checkThenWrite(store: ObjectStore): ObjectStore['create'] {
  return async (key, bytes, meta) => {
    const current = await store.get(key);
    if (current !== undefined) {
      return false;
    }
    await new Promise((resolve) => setImmediate(resolve));
    const etag = (await store.get(key))?.etag ?? null;
    await store.replace(key, Buffer.concat([bytes].flat()), meta, etag);
    return true;
  };
}

async function* reversed<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  const all: T[] = [];
  for await (const item of items) {
    all.unshift(item);
  }
  yield* all;
}

async function* first<T>(items: AsyncIterable<T>, count: number): AsyncGenerator<T> {
  let taken = 0;
  for await (const item of items) {
    if (taken++ < count) {
      yield item;
    }
  }
}

test('a directory keeps its promises on a file system whose calls are all late', async () => {
  const fs = new ModelFs();
  fs.plant('/srv/store/log.json', '{}', { name: true, content: true });
  const open = () => openDirectory('/srv/store', { fs });
  const races = conformance.filter(({ name }) => /race|after-delete|stage/.test(name));
  assert.ok(races.length >= 6);
  for (const { name, run } of races) {
    await fs.makeFolder(`/srv/${name}`);
    const store = await openDirectory(`/srv/${name}`, { fs });
    await run(store, open);
    await store.close();
  }
});
