/** Long objects are written past the page cache, where the system can; whether it can or not, they are the same. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { isSteleError } from '../../src/errors.ts';
import { type DirectoryFs, metaFor, nodeFs, openDirectory } from '../../src/store/index.ts';
import { ModelFs } from './model-fs.ts';

const ROOT = '/srv/store';
const META = metaFor('tile/entries/000');
const KIB = 2 ** 10;

/** Bytes of which no two blocks are alike. */
function patterned(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + Math.floor(i / 4_096) * 7 + seed) % 256);
}

function machine(): ModelFs {
  const fs = new ModelFs();
  fs.plant(`${ROOT}/log.json`, '{}', { name: true, content: true });
  return fs;
}

const callsOf = (fs: ModelFs, name: string): number => fs.calls.filter((call) => call.name === name).length;

async function bytesIn(fs: DirectoryFs, key: string): Promise<Uint8Array | undefined> {
  return (await (await openDirectory(ROOT, { fs })).get(key))?.bytes;
}

async function realFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-direct-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('an object of any length, in any pieces, is there as it was given, on a real disk', async (t) => {
  const folder = await realFolder(t);
  let opened = 0;
  let refused = 0;
  const openDirect = async (path: string): Promise<number> => {
    opened += 1;
    try {
      return (await nodeFs.openDirect?.(path)) ?? -1;
    } catch (error) {
      refused += 1;
      throw error;
    }
  };
  const store = await openDirectory(folder, { fs: nodeFs.openDirect ? { ...nodeFs, openDirect } : nodeFs });
  const length = fc.oneof(
    fc.nat(400 * KIB),
    fc.constantFrom(
      128 * KIB - 1,
      128 * KIB,
      128 * KIB + 1,
      192 * KIB,
      KIB * KIB,
      KIB * KIB + 64 * KIB,
      3 * KIB * KIB + 5,
    ),
  );
  let made = 0;
  await fc.assert(
    fc.asyncProperty(
      length,
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
      async (all, cuts) => {
        const bytes = patterned(all, made);
        const at = [0, ...cuts.map((cut) => Math.floor(cut * all)).sort((a, b) => a - b), all];
        const pieces = at.slice(1).map((end, i) => bytes.subarray(at[i], end));
        const key = `journal/${made++}`;
        assert.ok(await store.create(key, pieces, META));
        assert.deepEqual(new Uint8Array(await readFile(join(folder, key))), bytes);
      },
    ),
    { numRuns: 30 },
  );
  await store.close();
  if (nodeFs.openDirect === undefined) t.diagnostic('this system has no direct writes: all went the usual way');
  else if (refused > 0)
    t.diagnostic('the file system of the temporary folder has no direct writes: all went the usual way');
  else assert.ok(opened > 5, 'long ones were written directly');
  assert.ok(refused <= 1, 'a file system that refused is not asked again');
});

test('many at once are not mixed up', async (t) => {
  const folder = await realFolder(t);
  const store = await openDirectory(folder);
  const objects = Array.from({ length: 60 }, (_, i) => ({
    key: `tile/entries/${i}`,
    bytes: patterned(200 * KIB + i * 4_099, i),
    meta: META,
  }));
  await store.createAll(objects);
  for (const { key, bytes } of objects) assert.deepEqual(new Uint8Array(await readFile(join(folder, key))), bytes, key);
  assert.deepEqual(await readdir(join(folder, '.tmp')), []);
  await store.close();
});

for (const [what, harm] of [
  ['no WebAssembly', 'delete globalThis.WebAssembly;'],
  ['no memory for it', "WebAssembly.Memory = class { constructor() { throw new RangeError('planted'); } };"],
] as const) {
  test(`where there is ${what}, long objects are written the usual way`, async (t) => {
    const folder = await realFolder(t);
    const program = `
      const { metaFor, openDirectory } = await import(${JSON.stringify(new URL('../../src/store/index.ts', import.meta.url).href)});
      ${harm}
      const store = await openDirectory(${JSON.stringify(folder)});
      await store.create('a', new Uint8Array(300_000).fill(7), metaFor('a'));
      await store.create('b', new Uint8Array(300_000).fill(8), metaFor('b'));`;
    await promisify(execFile)(process.execPath, ['--conditions=source', '--input-type=module', '--eval', program]);
    for (const [name, byte] of [
      ['a', 7],
      ['b', 8],
    ] as const) {
      assert.deepEqual(new Uint8Array(await readFile(join(folder, name))), new Uint8Array(300_000).fill(byte));
    }
  });
}

test('short objects are not written directly, nor the end of a long one', async () => {
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  await store.create('short', patterned(128 * KIB - 1), META);
  assert.equal(callsOf(fs, 'openDirect'), 0);
  const writes = callsOf(fs, 'write');
  await store.create('long', patterned(2 * KIB * KIB + 100), META);
  assert.equal(callsOf(fs, 'openDirect'), 1);
  assert.equal(callsOf(fs, 'write'), writes + 3);
});

for (const [when, refuses] of [
  ['when it is opened', (name: string) => name === 'openDirect'],
  ['when it is first written to', (name: string, writes: number) => name === 'write' && writes === 0],
  ['later', (name: string, writes: number) => name === 'write' && writes === 1],
] as const) {
  test(`a file system that refuses ${when} has the same object, and is not asked again`, async () => {
    const fs = machine();
    const store = await openDirectory(ROOT, { fs });
    let writes = 0;
    fs.fault = ({ name }) => {
      const fault = refuses(name, writes) ? 'EINVAL' : undefined;
      if (name === 'write') writes += 1;
      return fault;
    };
    const bytes = patterned(3 * KIB * KIB + 17);
    await store.create('first', bytes, META);
    fs.fault = () => undefined;
    await store.create('second', bytes, META);
    assert.equal(callsOf(fs, 'openDirect'), 1);
    assert.deepEqual(await bytesIn(fs, 'first'), bytes);
    assert.deepEqual(await bytesIn(fs, 'second'), bytes);
  });
}

test('a system that takes some bytes at a time gets the others, and one that is full says so', async () => {
  for (const most of [4_096, 10_000, 70_000]) {
    const fs = machine();
    fs.writeAtMost = most;
    const store = await openDirectory(ROOT, { fs });
    const bytes = patterned(300 * KIB + 1, most);
    await store.create('a', bytes, META);
    assert.deepEqual(await bytesIn(fs, 'a'), bytes);
  }
  const fs = machine();
  const store = await openDirectory(ROOT, { fs });
  fs.fault = ({ name }) => (name === 'write' ? 'ENOSPC' : undefined);
  await assert.rejects(store.create('a', patterned(300 * KIB), META), (error) => isSteleError(error, 'unreachable'));
  assert.deepEqual([...fs.files(ROOT).keys()], ['log.json']);
});
