import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import {
  metaFor,
  type NewObject,
  type ObjectStore,
  openDirectory,
  sweepTemporaryFolder,
} from '../../src/store/index.ts';
import { type Call, ModelFs } from './model-fs.ts';

const ROOT = '/srv/store';
const META = metaFor('checkpoint');

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function object(key: string, text: string): NewObject {
  return { key, bytes: bytes(text), meta: metaFor(key) };
}

function machine(): ModelFs {
  const fs = new ModelFs();
  fs.plant(`${ROOT}/log.json`, '{}', { name: true, content: true });
  return fs;
}

const TILES = ['tile/0/000', 'tile/0/001', 'tile/1/000.p/1', 'tile/entries/x001/000'].map((key) => object(key, key));

/** So long that it is written directly. */
const LONG = 'record 6 '.repeat(14_600);

/** What a round writes, and what is there afterwards. Each is run on a store where the earlier ones were. */
const WRITES: { name: string; key: string; text: string; run(store: ObjectStore): Promise<unknown> }[] = [
  {
    name: 'create',
    key: 'journal/0000',
    text: 'record 0',
    run: (store) => store.create('journal/0000', [bytes('record'), bytes(' 0')], META),
  },
  { name: 'createAll', key: 'tile/0/001', text: 'tile/0/001', run: (store) => store.createAll(TILES) },
  {
    name: 'replace',
    key: 'checkpoint',
    text: 'size 3',
    run: async (store) => {
      const current = await store.get('checkpoint');
      await store.replace('checkpoint', bytes('size 3'), META, current?.etag ?? null);
    },
  },
  {
    name: 'staged create',
    key: 'journal/0003',
    text: 'record 3',
    run: async (store) => {
      const staged = await store.stage('journal/0003', bytes('record 3'), META);
      await staged.create().finally(() => staged.discard());
    },
  },
  {
    name: 'create of a long object',
    key: 'journal/0006',
    text: LONG,
    run: (store) => store.create('journal/0006', bytes(LONG), META),
  },
];

/** How a caller finds out what became of a write that was not answered: read, and if it is not there, write again. */
async function settle(store: ObjectStore, { key, text, run }: (typeof WRITES)[number]): Promise<void> {
  const found = await store.get(key);
  if (found === undefined || new TextDecoder().decode(found.bytes) !== text) {
    await run(store);
  } else if (key.startsWith('tile')) {
    await run(store);
  }
}

for (const errno of ['ENOSPC', 'EDQUOT', 'EMFILE', 'EIO', 'kept:EIO']) {
  test(`one ${errno} at any call: a clear error, nothing torn, and the same store goes on (DISK-1, DISK-2)`, async () => {
    let failed = 0;
    for (const write of WRITES) {
      for (let index = 0; ; index++) {
        const fs = machine();
        const store = await openDirectory(ROOT, { fs });
        await store.create('journal/9999', bytes('earlier'), META);
        await store.replace('checkpoint', bytes('size 0'), META, null);
        const start = fs.calls.length;
        let hit: Call | undefined;
        fs.fault = (call, at) => {
          if (at - start !== index) {
            return undefined;
          }
          hit = call;
          return errno;
        };
        const error = await write.run(store).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        fs.fault = () => undefined;
        if (hit === undefined) {
          break;
        }
        const where = `${write.name} with ${errno} at call ${index}, ${hit.name} ${hit.path}`;
        if (error !== undefined) {
          failed++;
          assert.ok(isSteleError(error, 'unreachable', 'outcome-unknown'), `${where}: ${error}`);
          assert.match(error.message, /EIO|ENOSPC|EDQUOT|EMFILE/, where);
          assert.ok(error.message.includes(ROOT), where);
        }
        for (const [name, text] of fs.files(ROOT)) {
          const whole =
            ['{}', 'earlier', 'size 0', 'size 3', 'record 0', 'record 3', LONG].includes(text) || text === name;
          assert.ok(whole || name.startsWith('.tmp/'), `${where}: ${name} is torn: ${text}`);
        }
        await settle(store, write);
        // And it is all as durable as it is said to be.
        const back = await openDirectory(ROOT, { fs: fs.afterPowerCut(() => false) });
        const found = await back.get(write.key);
        assert.equal(found && new TextDecoder().decode(found.bytes), write.text, where);
        // A file that could not be unlinked, or that was made without our knowing, is left to the next writer.
        const left = [...fs.files(ROOT).keys()].filter((name) => name.startsWith('.tmp/'));
        assert.ok(
          left.length === 0 || hit.name === 'unlink' || errno.startsWith('kept:'),
          `${where}: ${left} left behind`,
        );
        await sweepTemporaryFolder(ROOT, fs);
        assert.ok(![...fs.files(ROOT).keys()].some((name) => name.startsWith('.tmp/')));
        await store.close();
        // What nobody was told of, or could not close, nobody can close.
        const lost = errno.startsWith('kept:') ? /^(create|open)/.test(hit.name) : hit.name === 'close';
        assert.ok(fs.openDescriptors <= (lost ? 1 : 0), `${where}: ${fs.openDescriptors} descriptors left open`);
      }
    }
    assert.ok(failed > 20, `only ${failed} failures`);
  });
}

test('a call that fails for certain is unreachable, one that may have happened is outcome-unknown', async () => {
  const cases: [Call['name'], string, string][] = [
    ['createFile', 'ENOSPC', 'unreachable'],
    ['write', 'ENOSPC', 'unreachable'],
    ['flushFile', 'EIO', 'unreachable'],
    ['link', 'EDQUOT', 'unreachable'],
    ['link', 'EIO', 'outcome-unknown'],
    ['flushFolder', 'EIO', 'outcome-unknown'],
  ];
  for (const [name, errno, code] of cases) {
    const fs = machine();
    const store = await openDirectory(ROOT, { fs });
    fs.fault = (call) => (call.name === name ? errno : undefined);
    await assert.rejects(
      store.create('journal/0000', bytes('record'), META),
      (error) => isSteleError(error) && error.code === code && error.message.includes(errno),
      `${name} ${errno}`,
    );
    assert.equal(fs.files(ROOT).has('journal/0000'), name === 'flushFolder');
  }
});

test('a staged object whose create failed for certain can be created again', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  const staged = await store.stage('journal/0000', bytes('record'), META);
  fs.fault = ({ name }) => (name === 'link' ? 'ENOSPC' : undefined);
  await assert.rejects(staged.create(), (error) => isSteleError(error, 'unreachable'));
  fs.fault = () => undefined;
  assert.equal(await staged.create(), true);
  assert.deepEqual([...fs.files(ROOT).keys()].sort(), ['journal/0000', 'log.json']);
});

test('when one of many parallel writes fails, the others have ended before the error is told (FAULT-8)', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs, flushesInFlight: 8 });
  let links = 0;
  fs.fault = ({ name }) => (name === 'link' && ++links === 5 ? 'ENOSPC' : undefined);
  const objects = Array.from({ length: 40 }, (_, i) => object(`tile/0/${i}`, `${i}`));
  await assert.rejects(store.createAll(objects), (error) => isSteleError(error, 'unreachable'));
  const calls = fs.calls.length;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(fs.calls.length, calls);
  assert.ok(![...fs.files(ROOT).keys()].some((name) => name.startsWith('.tmp/')));
  await store.createAll(objects);
  assert.equal(fs.files(`${ROOT}/tile`).size, 40);
});

test('bytes are written whole however few the system takes at a time (DISK-2)', async () => {
  for (const most of [1, 3, 7]) {
    const fs = machine();
    fs.writeAtMost = most;
    const store = await openDirectory(ROOT, { fs });
    await store.create('a', [bytes('one '), bytes(''), bytes('two '), bytes('three')], META);
    assert.equal(fs.files(ROOT).get('a'), 'one two three');
  }
});

test('a system that takes no bytes at all is a full disk, not an endless loop (DISK-2)', async () => {
  const fs = machine();
  fs.writeAtMost = 0;
  const store = await openDirectory(ROOT, { fs });
  await assert.rejects(store.create('a', bytes('x'), META), (error) => isSteleError(error, 'unreachable'));
  assert.equal(await store.create('empty', bytes(''), META), true);
});

test('a directory that cannot be written to is refused at once, by its path (DISK-3)', async () => {
  for (const [name, errno] of [
    ['makeFolder', 'EROFS'],
    ['makeFolder', 'EACCES'],
    ['createFile', 'EACCES'],
    ['openFolder', 'EACCES'],
    ['openFolder', 'ENOENT'],
  ] as const) {
    const fs = machine();
    fs.fault = (call) => (call.name === name ? errno : undefined);
    await assert.rejects(
      openDirectory(ROOT, { fs }),
      (error) => isSteleError(error, 'config') && error.message.includes(ROOT) && error.message.includes(errno),
    );
    assert.ok(!fs.files(ROOT).has('.tmp/1'));
  }
});

test('what crashed writers left is swept, and nothing else', async () => {
  const fs = machine();
  fs.plant(`${ROOT}/.tmp/123.0.1`, 'half', { name: true, content: false });
  fs.plant(`${ROOT}/.tmp/123.0.2`, 'ha', { name: true, content: false });
  fs.plant(`${ROOT}/.tmp/folder/mine`, 'not ours', { name: true, content: true });
  assert.equal(await sweepTemporaryFolder(ROOT, fs), 2);
  assert.equal(await sweepTemporaryFolder(ROOT, fs), 0);
  assert.deepEqual([...fs.files(ROOT).keys()].sort(), ['.tmp/folder/mine', 'log.json']);
  assert.equal(await sweepTemporaryFolder('/srv', fs), 0);
});
