import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isSteleError } from '../../src/errors.ts';
import { directoryUrl, metaFor, openReadableStore, openStore, sweepTemporaries } from '../../src/store/index.ts';

const base = await mkdtemp(join(tmpdir(), 'stele-open-'));
after(() => rm(base, { recursive: true }));

const META = metaFor('x');
const BYTES = new TextEncoder().encode('x');

function isConfig(...parts: string[]): (error: unknown) => boolean {
  return (error) => isSteleError(error, 'config') && parts.every((part) => error.message.includes(part));
}

test('a file: URL names its folder plainly or percent-encoded', async () => {
  for (const name of ['plain', 'with space', 'hundred%', 'q?#', 'ünï', '日本', '.tmp']) {
    const dir = join(base, name);
    const url = pathToFileURL(dir).href;
    const store = await openStore(url);
    await store.create('a', BYTES, META);
    assert.equal(store.url, url);
    await store.close();
    assert.ok((await openReadableStore(url).get('a')) !== undefined);
  }
  for (const url of [
    `file://${base}/with space`,
    `file:${base}/plain`,
    `file://localhost${base}/ünï`,
    `FILE://${base}/日本`,
  ]) {
    assert.ok((await openReadableStore(url).get('a')) !== undefined, url);
  }
});

test('a store is made with all folders above it, and found again', async () => {
  const url = pathToFileURL(join(base, 'made/with/parents')).href;
  const store = await openStore(url);
  await store.create('a', BYTES, META);
  await store.close();
  const again = await openStore(url);
  assert.equal(await again.create('a', BYTES, META), false);
  await again.close();
});

test('a folder that cannot be made is refused, and not tried for ever', { timeout: 10_000 }, async () => {
  await writeFile(join(base, 'file'), '');
  await symlink(join(base, 'nowhere'), join(base, 'dangling'));
  for (const parts of [['file'], ['file', 'x'], ['dangling'], ['dangling', 'x']]) {
    const path = join(base, ...parts);
    await assert.rejects(openStore(pathToFileURL(path).href), isConfig(path), path);
  }
  // Linux says ENOENT there though /proc exists.
  for (const path of ['/proc/nope', '/proc/nope/deeper', '/dev/null/x']) {
    await assert.rejects(openStore(`file://${path}`), isConfig(path), path);
  }
  const url = `file://${base}/all/at/once`;
  for (const store of await Promise.all(Array.from({ length: 8 }, () => openStore(url)))) await store.close();
});

test('what cannot be opened says what can', async () => {
  for (const url of ['', 'relative/path', '/absolute/path', 'ftp://host/x', 'c:', 'public:x']) {
    await assert.rejects(openStore(url), isConfig('file:///', 'mem:'), url);
    assert.throws(() => openReadableStore(url), isConfig('file:///', 'https:'), url);
  }
  await assert.rejects(openStore('https://log.example/'), isConfig('read but not written'));
  for (const url of [
    'file:relative',
    'file://host/path',
    'file:',
    'file://',
    'file:///a?b',
    'file:///a#b',
    'file:///100%',
    'file:///a%2Fb',
  ]) {
    await assert.rejects(openStore(url), isConfig(url), url);
    assert.throws(() => openReadableStore(url), isConfig(url), url);
  }
  await assert.rejects(openStore('mem:'), isConfig('mem:'));
});

test('a directory that is not there, or is a file, is refused by its path (DISK-3)', async () => {
  const missing = join(base, 'missing');
  assert.throws(() => openReadableStore(pathToFileURL(missing).href), isConfig(missing, 'ENOENT'));
  const file = join(base, 'a-file');
  await writeFile(file, 'x');
  const url = pathToFileURL(file).href;
  assert.throws(() => openReadableStore(url), isConfig(file));
  await assert.rejects(openStore(url), isConfig(file));
  const guarded = join(base, 'guarded');
  await mkdir(guarded);
  await writeFile(join(guarded, '.tmp'), 'in the way');
  await assert.rejects(openStore(pathToFileURL(guarded).href), (error) => isSteleError(error, 'corrupt', 'config'));
});

test('two openings of one memory share their objects, two names do not', async () => {
  const one = await openStore('mem:shared');
  await one.create('a', BYTES, META);
  await one.close();
  assert.ok((await openReadableStore('mem:shared').get('a')) !== undefined);
  assert.equal(await openReadableStore('mem:other').get('a'), undefined);
  assert.equal(await sweepTemporaries('mem:shared'), 0);
});

test('a path becomes a URL only when asked to', () => {
  assert.equal(directoryUrl('/srv/my log'), 'file:///srv/my%20log');
  assert.equal(directoryUrl('public'), pathToFileURL(join(process.cwd(), 'public')).href);
});
