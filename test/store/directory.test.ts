import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isSteleError } from '../../src/errors.ts';
import { keysOf, listed } from '../../src/store/conformance-checks.ts';
import {
  metaFor,
  type NewObject,
  nodeFs,
  type ObjectStore,
  openDirectory,
  openReadableStore,
  openStore,
  sweepTemporaries,
} from '../../src/store/index.ts';

const base = await mkdtemp(join(tmpdir(), 'stele-directory-'));
after(() => rm(base, { recursive: true }));

async function fresh(): Promise<{ dir: string; url: string; store: ObjectStore }> {
  const dir = await mkdtemp(join(base, 'store-'));
  const url = pathToFileURL(dir).href;
  return { dir, url, store: await openStore(url) };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function object(key: string, text = key): NewObject {
  return { key, bytes: bytes(text), meta: metaFor(key) };
}

const META = metaFor('x');

function isCorrupt(path: string): (error: unknown) => boolean {
  return (error) => isSteleError(error, 'corrupt') && error.message.includes(path);
}

test('objects are plain files at the path of their key, so that any server can serve them', async () => {
  const { dir, store } = await fresh();
  await store.createAll([object('tile/0/x001/000'), object('tile/0/x001/000.p/7'), object('log.json')]);
  await store.replace('checkpoint', bytes('size 0'), META, null);
  for (const key of ['tile/0/x001/000', 'tile/0/x001/000.p/7', 'log.json']) {
    assert.equal(await readFile(join(dir, key), 'utf8'), key);
    // Whatever the temporary file was made with, others may read what the umask lets them.
    assert.equal((await stat(join(dir, key))).mode & 0o777, 0o666 & ~process.umask());
    assert.equal((await stat(join(dir, key))).nlink, 1);
  }
  assert.deepEqual((await readdir(dir)).sort(), ['.tmp', 'checkpoint', 'log.json', 'tile']);
  assert.deepEqual(await readdir(join(dir, '.tmp')), []);
  await store.close();
});

test('a folder named as a tile, a link, or a pipe is an error by its path, and is never followed (CORRUPT-12)', async () => {
  const { dir, url, store } = await fresh();
  await writeFile(join(base, 'outside'), 'outside');
  await mkdir(join(dir, 'tile/0/000'), { recursive: true });
  await symlink(join(base, 'outside'), join(dir, 'tile/0/001'));
  await symlink(join(base, 'nowhere'), join(dir, 'tile/0/002'));
  execFileSync('mkfifo', [join(dir, 'tile/0/003')]);
  for (const reader of [store, openReadableStore(url)]) {
    for (const key of ['tile/0/000', 'tile/0/001', 'tile/0/002', 'tile/0/003']) {
      await assert.rejects(reader.get(key), isCorrupt(join(dir, key)), key);
    }
  }
  for (const key of ['tile/0/000', 'tile/0/001', 'tile/0/002']) {
    assert.equal(await store.create(key, bytes('x'), META), false);
    await assert.rejects(store.createAll([object(key)]), isCorrupt(join(dir, key)));
    await assert.rejects(store.replace(key, bytes('x'), META, 'version'), isCorrupt(join(dir, key)));
  }
  await assert.rejects(store.delete('tile/0/000'), isCorrupt(join(dir, 'tile/0/000')));
  await store.delete('tile/0/001');
  assert.equal(await readFile(join(base, 'outside'), 'utf8'), 'outside');
  assert.deepEqual(await keysOf(store, ''), []);
  assert.deepEqual(await readdir(join(dir, '.tmp')), []);
  await store.close();
});

test('a link in the place of a folder is never followed, by whatever operation (CORRUPT-12)', async () => {
  const { dir, url, store } = await fresh();
  const outside = await mkdtemp(join(base, 'outside-'));
  await writeFile(join(outside, '000'), 'outside');
  await mkdir(join(dir, 'tile'));
  await symlink(outside, join(dir, 'tile/0'));
  const link = join(dir, 'tile/0');
  await assert.rejects(store.get('tile/0/000'), isCorrupt(link));
  await assert.rejects(openReadableStore(url).get('tile/0/000'), isCorrupt(link));
  await assert.rejects(store.create('tile/0/001', bytes('x'), META), isCorrupt(link));
  await assert.rejects(store.createAll([object('tile/0/deep/001')]), isCorrupt(link));
  await assert.rejects(store.replace('tile/0/000', bytes('x'), META, 'version'), isCorrupt(link));
  await assert.rejects(store.delete('tile/0/000'), isCorrupt(link));
  assert.deepEqual(await keysOf(store, ''), []);
  assert.deepEqual(await keysOf(store, 'tile/0/'), []);
  assert.deepEqual(await readdir(outside), ['000']);
  await store.close();
});

test('the root of a store may be a link: it is the operator who says where the store is', async () => {
  const { dir, store } = await fresh();
  await store.create('a', bytes('x'), META);
  await symlink(dir, join(base, 'by-another-name'));
  const url = pathToFileURL(join(base, 'by-another-name')).href;
  assert.ok((await openReadableStore(url).get('a')) !== undefined);
  const again = await openStore(url);
  assert.equal(await again.create('a', bytes('y'), META), false);
  await again.close();
  await store.close();
});

test('a file where objects belong below it is in the way, and there is nothing to read below it', async () => {
  const { dir, store } = await fresh();
  await writeFile(join(dir, 'tile'), 'a file');
  assert.equal(await store.get('tile/0/000'), undefined);
  await store.delete('tile/0/000');
  await assert.rejects(store.create('tile/0/000', bytes('x'), META), isCorrupt(join(dir, 'tile')));
  await store.close();
});

test('lists leave out temporary files, the lock, links, and names that no key can have (CORRUPT-12)', async () => {
  const { dir, store } = await fresh();
  await store.createAll([object('a'), object('b/c')]);
  await mkdir(join(dir, '.lock'));
  await mkdir(join(dir, 'b/.tmp-again'));
  await mkdir(join(dir, 'empty/folder'), { recursive: true });
  for (const name of ['.tmp/1.0.1', '.lock/exclusive', 'back\\slash', 'new\nline', 'b/.tmp-again/x']) {
    await writeFile(join(dir, name), 'x');
  }
  await symlink(join(dir, 'a'), join(dir, 'link'));
  await symlink(join(dir, 'b'), join(dir, 'folder-link'));
  assert.deepEqual(await keysOf(store, ''), ['a', 'b/c']);
  assert.equal(await sweepTemporaries(store.url), 1);
  assert.deepEqual(await readdir(join(dir, '.tmp')), []);
  await store.close();
});

test('a listed object tells when it was written', async () => {
  const { dir, store } = await fresh();
  const before = Date.now();
  await store.create('new', bytes('x'), META);
  await store.create('old', bytes('x'), META);
  await utimes(join(dir, 'old'), 1_000_000, 1_000_000);
  const [newest, oldest] = await listed(store, '');
  // Kernels stamp files with the time of the last tick, which may be some ms ago.
  assert.ok(newest && newest.modified > before - 1_000 && newest.modified <= Date.now());
  assert.equal(oldest?.modified, 1_000_000_000);
  await store.close();
});

test('folders left empty by a delete are removed, and made again when needed', async () => {
  const { dir, store } = await fresh();
  await store.createAll([object('tile/0/x001/000.p/7'), object('tile/0/x001/000')]);
  await store.delete('tile/0/x001/000.p/7');
  assert.deepEqual(await readdir(join(dir, 'tile/0/x001')), ['000']);
  await store.delete('tile/0/x001/000');
  assert.deepEqual(await readdir(dir), ['.tmp']);
  await store.createAll([object('tile/0/x001/000.p/9')]);
  assert.deepEqual(await keysOf(store, ''), ['tile/0/x001/000.p/9']);
  await store.close();
});

test('a folder that somebody else removed is made again', async () => {
  const { dir, store } = await fresh();
  await store.create('queue/done/a', bytes('x'), META);
  await rm(join(dir, 'queue'), { recursive: true });
  assert.equal(await store.create('queue/done/b', bytes('x'), META), true);
  await rm(join(dir, 'queue'), { recursive: true });
  await store.createAll([object('queue/done/c')]);
  assert.deepEqual(await keysOf(store, ''), ['queue/done/c']);
  await store.close();
});

test('a flush for each file and one for each folder: the count does not grow with anything else (GROW-10)', async () => {
  const dir = await mkdtemp(join(base, 'store-'));
  let counts = { file: 0, folder: 0, bytes: 0, written: 0 };
  const store = await openDirectory(dir, {
    observer: {
      onFlush(what) {
        counts[what]++;
      },
      onWrite(length) {
        counts.written++;
        counts.bytes += length;
      },
    },
  });
  const counted = async (operation: () => Promise<unknown>) => {
    counts = { file: 0, folder: 0, bytes: 0, written: 0 };
    await operation();
    return counts;
  };
  const round = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, i) => [
      object(`tile/0/${from + i}`),
      object(`tile/entries/${from + i}`),
    ]).flat();
  // New: tile, tile/0, tile/entries; so the root, tile, tile/0 and tile/entries hold new names.
  assert.deepEqual(await counted(() => store.createAll(round(10, 20))), {
    file: 20,
    folder: 4,
    written: 20,
    bytes: 240,
  });
  assert.deepEqual(await counted(() => store.createAll(round(20, 21))), { file: 2, folder: 2, written: 2, bytes: 24 });
  assert.equal((await counted(() => store.createAll(round(100, 200)))).folder, 2);
  const one = { file: 1, folder: 1, written: 1, bytes: 6 };
  assert.deepEqual(await counted(() => store.create('tile/0/x', bytes('record'), META)), one);
  let etag = await store.replace('checkpoint', bytes('size 0'), META, null);
  const swap = async () => {
    etag = await store.replace('checkpoint', bytes('size 1'), META, etag);
  };
  assert.deepEqual(await counted(swap), one);
  assert.deepEqual(await counted(() => store.get('checkpoint')), { file: 0, folder: 0, written: 0, bytes: 0 });
  assert.equal((await counted(() => store.get('tile/entries/10'))).folder, 0);
  await store.close();
});

test('concurrent creates in one folder share its flushes', async () => {
  const dir = await mkdtemp(join(base, 'store-'));
  let folders = 0;
  const store = await openDirectory(dir, {
    observer: {
      onFlush(what) {
        folders += what === 'folder' ? 1 : 0;
      },
    },
  });
  await store.create('journal/first', bytes('x'), META);
  folders = 0;
  await Promise.all(Array.from({ length: 40 }, (_, i) => store.create(`journal/${i}`, bytes('x'), META)));
  assert.ok(folders < 40, `${folders} flushes`);
  await store.close();
});

test('descriptors of idle folders do not add up', async () => {
  const { dir, store } = await fresh();
  const open = async () => (await readdir('/proc/self/fd')).length;
  const before = await open();
  for (let batch = 0; batch < 4; batch++) {
    const keys = Array.from({ length: 150 }, (_, i) => `tile/${batch}/${i}.p/1`);
    await store.createAll(keys.map((key) => object(key)));
  }
  assert.ok((await open()) - before < 270, `${(await open()) - before} descriptors`);
  assert.equal((await keysOf(store, '')).length, 600);
  await store.close();
  assert.ok((await open()) <= before);
  assert.deepEqual(await readdir(join(dir, '.tmp')), []);
});

test('what a store has replaced it reads without the threads that write, and finds what is there by then', async () => {
  const dir = await mkdtemp(join(base, 'store-'));
  const { blockingReads } = nodeFs;
  assert.ok(blockingReads);
  const opened: string[] = [];
  const openFile: typeof blockingReads.openFile = (path) => {
    opened.push(path);
    return blockingReads.openFile(path);
  };
  const store = await openDirectory(dir, { fs: { ...nodeFs, blockingReads: { ...blockingReads, openFile } } });
  const text = async (key: string): Promise<string | undefined> => {
    const found = await store.get(key);
    return found && Buffer.from(found.bytes).toString();
  };
  await store.create('log.json', bytes('{}'), META);
  const etag = await store.replace('checkpoint', bytes('size 0'), META, null);
  assert.deepEqual([await text('log.json'), await text('checkpoint')], ['{}', 'size 0']);
  await store.replace('checkpoint', bytes('size 1'), META, etag);
  opened.length = 0;
  assert.deepEqual([await text('log.json'), await text('checkpoint')], ['{}', 'size 1']);
  assert.deepEqual(opened, [join(dir, 'checkpoint')]);

  await writeFile(join(dir, 'checkpoint'), 'by somebody else');
  assert.equal(await text('checkpoint'), 'by somebody else');
  await assert.rejects(store.get('checkpoint', { maxBytes: 3 }), (error) => isSteleError(error, 'limit'));
  await store.delete('checkpoint');
  assert.equal(await text('checkpoint'), undefined);
  await mkdir(join(dir, 'checkpoint'));
  await assert.rejects(store.get('checkpoint'), isCorrupt(join(dir, 'checkpoint')));
  await store.close();
});

test('createAll takes its objects as it writes them, not all at once', async () => {
  const dir = await mkdtemp(join(base, 'store-'));
  let written = 0;
  const store = await openDirectory(dir, { observer: { onWrite: () => written++ } });
  let made = 0;
  let ahead = 0;
  const objects = function* () {
    for (; made < 600; made++) {
      ahead = Math.max(ahead, made - written);
      yield object(`${made}`);
    }
  };
  await store.createAll(objects());
  assert.ok(ahead <= 256, `${ahead} objects were made that were not written`);
  await store.close();
});

test('names that a crashed process with our number left behind are stepped over', async () => {
  const { dir, store } = await fresh();
  // The counter goes up by one a file.
  const [now] = await Promise.all([store.stage('a', bytes('x'), META)]);
  const [name = ''] = await readdir(join(dir, '.tmp'));
  const [pid, thread, count] = name.split('.').map(Number);
  await now.discard();
  for (let i = 1; i <= 3; i++) {
    await writeFile(join(dir, `.tmp/${pid}.${thread}.${Number(count) + i}`), 'left');
  }
  assert.equal(await store.create('a', bytes('x'), META), true);
  assert.equal(await readFile(join(dir, 'a'), 'utf8'), 'x');
  assert.equal(await sweepTemporaries(store.url), 3);
  await store.close();
});
