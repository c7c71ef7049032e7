import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type Ran, start, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();
const at = (...names: string[]) => join(folder, ...names);

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

async function newLog(name: string): Promise<{ dir: string; vkey: string }> {
  const dir = at(name);
  const { stdout } = await ok(['init', dir, '--origin', `log.example/${name}`]);
  return { dir, vkey: stdout.trim() };
}

test('init makes a log that readers can use, and made again changes nothing (CORRUPT-3)', async () => {
  const { dir, vkey } = await newLog('made');
  assert.match(vkey, /^log\.example\/made\+[0-9a-f]{8}\+/);
  assert.equal(statSync(join(dir, 'key')).mode % 0o1000, 0o600);
  const config = parse(readFileSync(join(dir, 'stele.yaml'), 'utf8'));
  assert.deepEqual(config, {
    origin: 'log.example/made',
    vkey,
    key: 'key',
    stores: { public: 'public', private: 'private' },
  });
  const files = ['key', 'stele.yaml', 'public/checkpoint', 'public/log.json', 'private/log.json'];
  const bytes = () => files.map((file) => readFileSync(join(dir, file)).toString('hex'));
  const before = bytes();
  const again = await ok(['init', dir, '--origin', 'log.example/made', '--json']);
  assert.deepEqual([JSON.parse(again.stdout).created, JSON.parse(again.stdout).vkey], [false, vkey]);
  const other = await steleHere(['init', dir, '--origin', 'log.example/other']);
  assert.deepEqual([other.status, other.stdout], [2, '']);
  assert.match(other.stderr, /origin is log\.example\/made/);
  assert.deepEqual(bytes(), before);
  assert.equal((await ok(['checkpoint', dir])).stdout, readFileSync(join(dir, 'public/checkpoint'), 'utf8'));
});

test('init into other stores writes where they are, and an emptied store is never begun anew (CORRUPT-3)', async () => {
  const dir = at('apart');
  const stores = ['--public-store', at('www'), '--private-store', at('state')];
  await ok(['init', dir, '--origin', 'log.example/apart', '--url', 'https://log.example/apart', ...stores]);
  assert.deepEqual(readdirSync(dir).sort(), ['key', 'stele.yaml']);
  assert.equal(JSON.parse(readFileSync(at('www', 'log.json'), 'utf8')).url, 'https://log.example/apart');
  const checkpoint = readFileSync(at('www', 'checkpoint'));
  renameSync(at('state'), at('state-lost'));
  const again = await steleHere(['init', dir, '--origin', 'log.example/apart']);
  const refused = await steleHere(['init', dir, '--origin', 'log.example/apart', ...stores]);
  assert.deepEqual([again.status, refused.status], [2, 2]);
  assert.match(refused.stderr, /recover/);
  assert.deepEqual(readFileSync(at('www', 'checkpoint')), checkpoint);
});

test('init that is refused leaves nothing that a corrected one would stumble over', async () => {
  const dir = at('corrected');
  const refused = [
    ['--origin', 'https://log.example/'],
    ['--origin', 'log.example', '--private-store', 'https://log.example/'],
    ['--origin', 'log.example', '--public-store', 'https://log.example/'],
    ['--origin', 'log.example', '--public-store', at('same'), '--private-store', at('same')],
    ['--origin', 'log.example', '--url', 'log.example'],
  ];
  for (const args of refused) {
    const { status } = await steleHere(['init', dir, ...args]);
    assert.deepEqual([status, existsSync(join(dir, 'stele.yaml'))], [2, false], args.join(' '));
  }
  await ok(['init', dir, '--origin', 'log.example']);
});

test('what is added is sequenced once, proven, verified offline, and known again when it is added again', async () => {
  const { dir, vkey } = await newLog('flow');
  writeFileSync(at('first'), 'first entry\n');
  writeFileSync(at('empty'), '');
  const added = await ok(['add', '-C', dir, at('first'), at('empty')]);
  assert.match(added.stdout, /^[0-9a-f]{64}\n$/);
  await ok(['add', '-C', dir, '--lines', '-'], 'a\r\n\nb');
  const once = await ok(['sequence', '-C', dir, '--once', '--json']);
  // The empty line is the empty file again.
  assert.deepEqual(JSON.parse(once.stdout), { size: 4, appended: 4, duplicates: 1, refused: 0 });
  for (const [index, entry] of ['first entry\n', '', 'a\r', 'b'].entries()) {
    assert.equal((await ok(['get', dir, String(index)])).stdout, entry);
  }
  await ok(['prove', dir, '0', '-o', at('first.proof')]);
  await ok(['verify', '--vkey', vkey, '--proof', at('first.proof'), at('first')]);
  const idle = await ok(['sequence', '--dir', dir, '--once', '--json']);
  assert.deepEqual(JSON.parse(idle.stdout), { size: 4, appended: 0, duplicates: 0, refused: 0 });
  assert.match((await ok(['fsck', dir])).stdout, /^ok: .* 4 entries/);
  const gc = await ok(['gc', '-C', dir, '--grace', '0', '--json']);
  assert.deepEqual([JSON.parse(gc.stdout).deleted, JSON.parse(gc.stdout).size], [0, 4]);
});

test('a running sequencer answers who waits, keeps others out, and drains when it is told to stop', async () => {
  const { dir } = await newLog('service');
  const service = start(['sequence', '-C', dir, '--publish.interval', '0']);
  await service.said(/from size 0/);
  const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i}\n`).join('');
  const waited = await ok(['add', '-C', dir, '--lines', '-', '--wait'], lines);
  assert.equal(waited.stdout, Array.from({ length: 1_000 }, (_, i) => `${i}\n`).join(''));
  const again = await ok(['add', '-C', dir, '--lines', '-', '--wait', '--json'], 'line 7\nline 7\nnew\n');
  assert.deepEqual(JSON.parse(again.stdout), [7, 7, 1_000]);

  const second = await steleHere(['sequence', '-C', dir]);
  assert.equal(second.status, 3);
  assert.match(second.stderr, new RegExp(`${service.child.pid}\\b`));
  const [gc, freeze] = await Promise.all([steleHere(['gc', '-C', dir, '--json']), steleHere(['freeze', '-C', dir])]);
  assert.deepEqual([gc.status, JSON.parse(gc.stdout).error.code, freeze.status], [3, 'locked', 3]);

  await ok(['add', '-C', dir, '--lines', '-'], 'the last one\n');
  service.child.kill('SIGTERM');
  const { status, stderr } = await service.ended;
  assert.equal(status, 0, stderr);
  await ok(['sequence', '-C', dir, '--once']);
  assert.equal(JSON.parse((await ok(['checkpoint', dir, '--json'])).stdout).size, 1_002);
  await ok(['fsck', dir]);
});

test('a killed sequencer frees its lock at once, and a waiting one takes over', async () => {
  const { dir } = await newLog('killed');
  const first = start(['sequence', '-C', dir]);
  await first.said(/from size 0/);
  const second = start(['sequence', '-C', dir, '--lock-wait', '60', '--once', '--json']);
  await ok(['add', '-C', dir, '--lines', '-', '--wait'], 'one\ntwo\n');
  first.child.kill('SIGKILL');
  assert.equal((await first.ended).signal, 'SIGKILL');
  const { status, stdout } = await second.ended;
  assert.deepEqual([status, JSON.parse(stdout).size], [0, 2]);
});

test('who waits where nobody sequences is told so, with exit status 3, and the entries stay', async () => {
  const { dir } = await newLog('nobody');
  const waited = await steleHere(['add', '-C', dir, '--lines', '-', '--wait', '--timeout', '50ms'], { input: 'x\n' });
  assert.deepEqual([waited.status, waited.stdout], [3, '']);
  assert.match(waited.stderr, /stele sequence/);
  const once = await ok(['sequence', '-C', dir, '--once', '--json']);
  assert.equal(JSON.parse(once.stdout).appended, 1);
});

test('a file that can be no entry is refused before anything is submitted (LIMIT-1)', async () => {
  const { dir } = await newLog('limits');
  writeFileSync(at('most'), Buffer.alloc(65_535, 1));
  writeFileSync(at('too-much'), Buffer.alloc(65_536, 1));
  const cases: [string[], number][] = [
    [[at('most'), at('too-much')], 2],
    [[at('most'), at('absent')], 2],
    [[at('most'), folder], 2],
    [[at('most'), '--lines', at('most')], 2],
    [['--lines', at('too-much')], 2],
  ];
  for (const [args, status] of cases)
    assert.equal((await steleHere(['add', '-C', dir, ...args])).status, status, args.join(' '));
  const once = await ok(['sequence', '-C', dir, '--once', '--json']);
  assert.equal(JSON.parse(once.stdout).size, 0);
});

test('a frozen log takes nothing more, says so, and is read as before', async () => {
  const { dir } = await newLog('frozen');
  await ok(['add', '-C', dir, '--lines', '-'], 'kept\n');
  const frozen = await ok(['freeze', '-C', dir, '--json']);
  assert.deepEqual([JSON.parse(frozen.stdout).frozen, JSON.parse(frozen.stdout).size], [true, 1]);
  await ok(['add', '-C', dir, '--lines', '-'], 'too late\n');
  const once = await steleHere(['sequence', '-C', dir, '--once']);
  assert.equal((await ok(['get', dir, '0'])).stdout, 'kept');
  assert.equal(JSON.parse((await ok(['checkpoint', dir, '--json'])).stdout).size, 1);
  assert.ok(once.status === 0 || once.status === 2, once.stderr);
});

test('a log that lost its private store is refused by the sequencer, and recover says what it found', async () => {
  const { dir } = await newLog('lost');
  await ok(['add', '-C', dir, '--lines', '-'], 'kept\n');
  await ok(['sequence', '-C', dir, '--once']);
  const healthy = await ok(['recover', '-C', dir, '--json']);
  assert.deepEqual(JSON.parse(healthy.stdout).writes, []);
  rmSync(join(dir, 'private/journal'), { recursive: true });
  const refused = await steleHere(['sequence', '-C', dir, '--once']);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /stele recover/);
  const found = await steleHere(['recover', '-C', dir, '--json']);
  assert.equal(found.status, 1, found.stdout + found.stderr);
  assert.ok(JSON.parse(found.stdout).writes.length > 0);
});

test('the signer key is needed by writers alone, from a file, or from the environment', async () => {
  const { dir, vkey } = await newLog('keys');
  const key = readFileSync(join(dir, 'key'), 'utf8').trim();
  chmodSync(join(dir, 'key'), 0o644);
  const open = await steleHere(['sequence', '-C', dir, '--once']);
  assert.equal(open.status, 2);
  assert.match(open.stderr, /chmod 600/);
  await ok(['sequence', '-C', dir, '--once', '--allow-open-key']);
  rmSync(join(dir, 'key'));
  await ok(['checkpoint', dir]);
  assert.equal((await ok(['key', 'show', '-C', dir])).stdout.trim(), vkey);
  assert.equal((await steleHere(['sequence', '-C', dir, '--once'])).status, 2);
  assert.equal((await steleHere(['sequence', '-C', dir, '--once'], { env: { STELE_KEY: key } })).status, 0);
  const foreign = readFileSync(at('made', 'key'), 'utf8').trim();
  assert.equal((await steleHere(['sequence', '-C', dir, '--once'], { env: { STELE_KEY: foreign } })).status, 2);
});

test('serve serves a log to readers by URL until it is told to stop', async () => {
  const { dir, vkey } = await newLog('served');
  await ok(['add', '-C', dir, '--lines', '-'], 'over\nHTTP\n');
  await ok(['sequence', '-C', dir, '--once']);
  const closed = await steleHere(['serve', '-C', dir, '--listen', '0.0.0.0:0']);
  assert.equal(closed.status, 2);
  assert.match(closed.stderr, /--public/);
  const service = start(['serve', '-C', dir, '--listen', '127.0.0.1:0']);
  const url = await service.said(/(http:\/\/127\.0\.0\.1:\d+\/)/);
  assert.equal((await ok(['get', url, '1', '--vkey', vkey])).stdout, 'HTTP');
  assert.equal((await ok(['fsck', url, '--vkey', vkey, '--json'])).status, 0);
  assert.equal((await fetch(new URL('healthz', url))).status, 200);
  assert.equal((await fetch(new URL('stele.yaml', url))).status, 404);
  service.child.kill('SIGTERM');
  assert.equal((await service.ended).status, 0);
});

test('an item is named by its content', async () => {
  const { dir } = await newLog('named');
  const [first, second] = [
    await ok(['add', '-C', dir, '--lines', '-'], 'x\n'),
    await ok(['add', '-C', dir, '--lines', '-', '--json'], 'x\n'),
  ];
  assert.deepEqual(JSON.parse(second.stdout), [first.stdout.trim()]);
  const [file = ''] = readdirSync(join(dir, 'private/queue/new'));
  const bytes = readFileSync(join(dir, 'private/queue/new', file));
  assert.equal(createHash('sha256').update(bytes).digest('hex'), first.stdout.trim());
  assert.ok(existsSync(join(dir, 'private/queue')));
});
