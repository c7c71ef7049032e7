import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openRangeThreads } from '../../src/cli/fsck-threads.ts';
import { readRetry } from '../../src/cli/reading.ts';
import { type BundleRange, type CheckedRange, fsck } from '../../src/client/index.ts';
import { isSteleError } from '../../src/errors.ts';
import { parseVerifierKey } from '../../src/note/index.ts';
import { openReadableStore } from '../../src/store/index.ts';
import { stele, steleHere, temporaryFolder, VECTORS, vectorTree } from './run-stele.ts';

const folder = temporaryFolder();
const log = vectorTree('tree-256');
const varied = vectorTree('tree-700-varied');
const vkey = log.logKey.vkey;
const at = (name: string) => join(folder, name);

test('checkpoint prints the very note that the log serves, and its fields for programs', async () => {
  const note = readFileSync(new URL('tree-256/checkpoint', VECTORS));
  const [plain, json] = await Promise.all([
    stele(['checkpoint', log.url, '--vkey', vkey]),
    steleHere(['checkpoint', log.url, '--json'], { env: { STELE_VKEY: vkey } }),
  ]);
  assert.deepEqual([plain.status, plain.bytes, plain.stderr], [0, note, '']);
  assert.equal(json.status, 0);
  assert.deepEqual(JSON.parse(json.stdout), {
    origin: log.origin,
    size: 256,
    root: log.root,
    checkpoint: note.toString(),
  });
});

test('a log that is named by URL is not read without its key, and not with another', async () => {
  const other = (await steleHere(['key', 'generate', '--origin', log.origin, '-o', '-'])).stderr.trim();
  const runs = await Promise.all([
    steleHere(['checkpoint', log.url]),
    steleHere(['fsck', log.url, '--json']),
    steleHere(['get', log.url, '0', '--vkey', 'nonsense']),
    steleHere(['checkpoint', log.url, '--vkey', other]),
  ]);
  assert.deepEqual(
    runs.map(({ status }) => status),
    [2, 2, 2, 1],
  );
  assert.match(runs[0]?.stderr ?? '', /--vkey/);
  assert.equal(JSON.parse(runs[1]?.stdout ?? '').error.code, 'config');
});

test('get prints the bytes of an entry as they are, and 1 where there is none', async () => {
  const runs = await Promise.all([
    steleHere(['get', log.url, '17', '--vkey', vkey]),
    steleHere(['get', log.url, '17', '--vkey', vkey, '--json']),
    steleHere(['get', varied.url, '511', '--vkey', vkey, '-o', at('entry-511')]),
    steleHere(['get', log.url, '256', '--vkey', vkey]),
    steleHere(['get', log.url, '1e1', '--vkey', vkey]),
    steleHere(['get', log.url, '9007199254740992', '--vkey', vkey]),
  ]);
  assert.deepEqual(
    runs.map(({ status }) => status),
    [0, 0, 0, 1, 2, 2],
  );
  assert.equal(runs[0]?.stdout, 'leaf 17');
  const entry = Buffer.from('leaf 17').toString('base64');
  assert.deepEqual(JSON.parse(runs[1]?.stdout ?? ''), { index: 17, size: 256, entry });
  assert.equal(readFileSync(at('entry-511')).length, 65_535);
  assert.match(runs[3]?.stderr ?? '', /no entry 256/);
  assert.match(runs[4]?.stderr ?? '', /INDEX/);
});

test('a proof verifies offline for its own entry, and for nothing else', async () => {
  writeFileSync(at('entry'), 'leaf 200');
  writeFileSync(at('tampered'), 'leaf 201');
  const proved = await steleHere(['prove', log.url, '200', '--vkey', vkey, '-o', at('proof')]);
  assert.deepEqual([proved.status, proved.stdout], [0, '']);
  const proof = readFileSync(at('proof'), 'utf8');
  writeFileSync(at('wrong-index'), proof.replace('index 200', 'index 201'));
  writeFileSync(at('no-proof'), 'nothing of the kind\n');
  const verify = (file: string, entry: string, ...more: string[]) =>
    steleHere(['verify', '--vkey', vkey, '--proof', at(file), entry, ...more]);
  const runs = await Promise.all([
    verify('proof', at('entry')),
    verify('proof', at('entry'), '--json'),
    steleHere(['verify', '--proof', at('proof'), '-'], { input: 'leaf 200', env: { STELE_VKEY: vkey } }),
    verify('proof', at('tampered')),
    verify('wrong-index', at('entry')),
    verify('no-proof', at('entry')),
    verify('absent', at('entry')),
    steleHere(['verify', '--proof', at('proof'), at('entry')]),
  ]);
  assert.deepEqual(
    runs.map(({ status }) => status),
    [0, 0, 0, 1, 1, 1, 2, 2],
  );
  assert.match(runs[0]?.stdout ?? '', /^verified: entry 200 of log\.example\.com\/stele.*size 256\n$/);
  const json = JSON.parse(runs[1]?.stdout ?? '');
  assert.deepEqual(json, { verified: true, index: 200, size: 256, origin: log.origin, root: log.root });
  for (const { stdout } of runs.slice(3)) assert.equal(stdout, '');
});

test('consistency proves that the log extends an older checkpoint, and a fork is the answer no', async () => {
  const old = fileURLToPath(new URL('tree-1/checkpoint', VECTORS));
  const runs = await Promise.all([
    steleHere(['consistency', log.url, old, '--vkey', vkey, '--json']),
    steleHere(['consistency', log.url, '-', '--vkey', vkey], { input: readFileSync(old) }),
    steleHere(['consistency', varied.url, fileURLToPath(new URL('tree-256/checkpoint', VECTORS)), '--vkey', vkey]),
    steleHere(['consistency', log.url, '-', '--vkey', vkey], {
      input: readFileSync(old, 'utf8').replace('\n1\n', '\n2\n'),
    }),
    steleHere([
      'consistency',
      vectorTree('tree-1').url,
      fileURLToPath(new URL('tree-256/checkpoint', VECTORS)),
      '--vkey',
      vkey,
    ]),
  ]);
  assert.deepEqual(
    runs.map(({ status }) => status),
    [0, 0, 1, 1, 1],
  );
  const { proof, ...rest } = JSON.parse(runs[0]?.stdout ?? '');
  assert.equal(proof.length, 8);
  assert.deepEqual(rest, {
    consistent: true,
    origin: log.origin,
    old: { size: 1, root: vectorTree('tree-1').root },
    new: { size: 256, root: log.root },
  });
  assert.equal(runs[1]?.stdout.split('\n').length, 2 + 8 + 1);
  assert.match(runs[2]?.stderr ?? '', /neither extends/);
});

test('fsck accepts a good log and names each bad object of another', async () => {
  cpSync(fileURLToPath(varied.url), at('bad'), { recursive: true });
  const tile = readFileSync(at('bad/tile/entries/001'));
  tile[tile.length - 1] = (tile.at(-1) ?? 0) + 1;
  writeFileSync(at('bad/tile/entries/001'), tile);
  const bad = pathToFileURL(at('bad')).href;
  const runs = await Promise.all([
    steleHere(['fsck', varied.url, '--vkey', vkey]),
    steleHere(['fsck', bad, '--vkey', vkey]),
    steleHere(['fsck', bad, '--vkey', vkey, '--json']),
  ]);
  assert.deepEqual(
    runs.map(({ status, stderr }) => [status, stderr]),
    [
      [0, ''],
      [1, ''],
      [1, ''],
    ],
  );
  assert.match(runs[0]?.stdout ?? '', /^ok: log\.example\.com\/stele, 700 entries/);
  assert.match(runs[1]?.stdout ?? '', /^tile\/entries\/001: /);
  const report = JSON.parse(runs[2]?.stdout ?? '');
  assert.deepEqual(
    [report.ok, report.size, report.problemCount, report.problems[0].key],
    [false, 700, 1, 'tile/entries/001'],
  );
});

test('fsck calls no log corrupt for an object that it cannot read: 3, try again', async () => {
  const files = fileURLToPath(varied.url);
  let failing = '/tile/entries/001';
  const server = createServer(({ url = '' }, response) => {
    if (url === failing) response.writeHead(503).end();
    else if (existsSync(join(files, url))) response.end(readFileSync(join(files, url)));
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const url = `http://127.0.0.1:${typeof bound === 'object' ? bound?.port : ''}/`;
  try {
    const { status, stdout } = await steleHere(['fsck', url, '--vkey', vkey]);
    assert.deepEqual([status, /^not all could be read: /m.test(stdout), /corrupt/.test(stdout)], [3, true, false]);
    failing = '/tile/0/001';
    assert.equal((await steleHere(['fsck', url, '--vkey', vkey])).status, 3);
  } finally {
    server.close();
  }
});

test('each of two threads finds what one finds', async () => {
  const url = pathToFileURL(at('bad')).href;
  const verifier = parseVerifierKey(vkey);
  const retry = readRetry(url);
  const threads = openRangeThreads(2, { storeUrl: url, retry });
  try {
    const store = openReadableStore(url);
    const checkRange = async (range: BundleRange): Promise<CheckedRange> => {
      // The second goes to the other thread, for this one has something to do.
      const [here, there] = await Promise.all([threads.checkRange(range), threads.checkRange(range)]);
      assert.deepEqual(there, here);
      return there;
    };
    const inThreads = await fsck(store, verifier, { retry, checkRange });
    assert.deepEqual(inThreads, await fsck(store, verifier, { retry }));
    assert.ok(inThreads.problemCount > 0);
  } finally {
    await threads.close();
  }
});

test('each of two threads says that the store is down', async () => {
  const retry = { ...readRetry('http://127.0.0.1:9/'), attempts: 1 };
  const threads = openRangeThreads(2, { storeUrl: 'http://127.0.0.1:9/', retry });
  try {
    const range = { firstBundle: 0, endBundle: 256, proven: false };
    const found = await Promise.allSettled([threads.checkRange(range), threads.checkRange(range)]);
    for (const one of found) assert.ok(one.status === 'rejected' && isSteleError(one.reason, 'unreachable'));
  } finally {
    await threads.close();
  }
});

test('a thread of fsck that has ended lets nobody wait', { timeout: 30_000 }, async () => {
  const url = pathToFileURL(at('bad')).href;
  const threads = openRangeThreads(2, { storeUrl: url, retry: readRetry(url) });
  try {
    // No range: an error that is none of ours, which ends the other thread.
    const none = { firstBundle: 1, endBundle: 0, proven: false };
    const [here, there] = await Promise.allSettled([threads.checkRange(none), threads.checkRange(none)]);
    assert.ok(here.status === 'rejected' && there.status === 'rejected');
    const one = { firstBundle: 0, endBundle: 1, proven: false };
    const [again, ended] = await Promise.allSettled([threads.checkRange(one), threads.checkRange(one)]);
    assert.deepEqual([again.status, ended.status], ['fulfilled', 'rejected']);
  } finally {
    await threads.close();
  }
});

test('a log that is not there is the answer no, and one that cannot be reached is to be tried again', async () => {
  mkdirSync(at('empty'));
  const server = createServer((_request, response) => response.writeHead(503).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const port = typeof bound === 'object' ? bound?.port : undefined;
  try {
    const runs = await Promise.all([
      steleHere(['checkpoint', pathToFileURL(at('empty')).href, '--vkey', vkey]),
      steleHere(['checkpoint', `http://127.0.0.1:${port}/`, '--vkey', vkey, '--json']),
      steleHere(['checkpoint', at('nowhere')]),
      steleHere(['checkpoint', fileURLToPath(log.url), '--vkey', vkey]),
    ]);
    assert.deepEqual(
      runs.map(({ status }) => status),
      [1, 3, 2, 2],
    );
    assert.equal(JSON.parse(runs[1]?.stdout ?? '').error.code, 'unreachable');
    assert.match(runs[2]?.stderr ?? '', /stele init/);
    assert.match(runs[3]?.stderr ?? '', /file:/);
  } finally {
    server.close();
  }
});
