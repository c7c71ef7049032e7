import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { type Lock, LockedError, lockDirectory, openStore } from '../../src/store/index.ts';
import { networkFileSystem } from '../../src/store/network-fs.ts';
import { loadSqlite } from '../../src/store/sqlite.ts';

const base = await mkdtemp(join(tmpdir(), 'stele-lock-'));
after(() => rm(base, { recursive: true }));

async function freshDir(): Promise<string> {
  return mkdtemp(join(base, 'log-'));
}

interface Holder {
  readonly child: ChildProcess;
  /** What it says, a line at a time. */
  next(): Promise<string>;
  stderr(): string;
}

function start(dir: string, waitMs = 0, verb = 'sequence'): Holder {
  const script = join(import.meta.dirname, 'lock-holder.ts');
  const child = spawn(process.execPath, ['--expose-gc', script, dir, `${waitMs}`, verb], { stdio: 'pipe' });
  // One that was refused has ended before it is told to.
  child.stdin.on('error', () => undefined);
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return { child, next: async () => (await lines.next()).value ?? 'nothing', stderr: () => stderr };
}

async function end(holder: Holder): Promise<number | null> {
  holder.child.stdin?.end('end\n');
  if (holder.child.exitCode === null && holder.child.signalCode === null) {
    await once(holder.child, 'exit');
  }
  return holder.child.exitCode;
}

async function kill(holder: Holder): Promise<void> {
  const exited = once(holder.child, 'exit');
  holder.child.kill('SIGKILL');
  await exited;
}

function isLocked(error: unknown): error is LockedError {
  return isSteleError(error, 'locked') && error instanceof LockedError;
}

test('a folder that can hold no lock is refused, and not tried for ever', { timeout: 10_000 }, async () => {
  for (const dir of ['/proc', '/proc/nope']) {
    await assert.rejects(lockDirectory(dir, { waitMs: 0 }), (error) => isSteleError(error, 'config'), dir);
  }
});

test('of two processes that start together one gets the lock, the other names it and writes nothing (RACE-1)', async () => {
  for (let round = 0; round < 5; round++) {
    const dir = await freshDir();
    const both = [start(dir), start(dir, 0, 'gc')];
    const said = await Promise.all(both.map((holder) => holder.next()));
    assert.equal(said.filter((line) => line === 'locked').length, 1, said.join('; '));
    const winner = both[said.indexOf('locked')];
    const loser = said.find((line) => line !== 'locked');
    assert.match(loser ?? '', /^locked: .* is locked: /);
    assert.ok(loser?.includes(dir));
    assert.match(loser ?? '', new RegExp(`process ${winner?.child.pid} on ${hostname()} \\((sequence|gc), since `));
    assert.deepEqual((await readdir(dir)).sort(), ['.lock']);
    const codes = await Promise.all(both.map(end));
    assert.deepEqual(codes.toSorted(), [0, 3]);
  }
});

test('the refusal names process, host, verb and time of the holder (RACE-1)', async () => {
  const dir = await freshDir();
  const before = Date.now();
  const holder = start(dir, 0, 'recover');
  assert.equal(await holder.next(), 'locked');
  const error = await lockDirectory(dir, { waitMs: 0 }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isLocked(error));
  assert.equal(error.holder?.pid, holder.child.pid);
  assert.equal(error.holder?.host, hostname());
  assert.equal(error.holder?.verb, 'recover');
  const since = Date.parse(error.holder?.since ?? '');
  assert.ok(since >= before && since <= Date.now());
  assert.ok(
    error.message.includes(`process ${holder.child.pid} on ${hostname()} (recover, since ${error.holder?.since})`),
  );
  assert.equal(await end(holder), 0);
});

test('kill -9 of the holder frees the lock at once, for one of those who come (RACE-11)', async () => {
  const dir = await freshDir();
  for (let round = 0; round < 3; round++) {
    const holder = start(dir);
    assert.equal(await holder.next(), 'locked');
    await assert.rejects(lockDirectory(dir, { waitMs: 0 }), isLocked);
    await kill(holder);
    const lock = await lockDirectory(dir, { waitMs: 0, holder: 'test' });
    assert.equal(JSON.parse(await readFile(join(dir, '.lock', 'holder'), 'utf8')).pid, process.pid);
    const late = start(dir);
    assert.match(await late.next(), new RegExp(`^locked: .*process ${process.pid} on`));
    assert.equal(await end(late), 3);
    await lock.release();
  }
});

test('whoever waits gets the lock when the holder is killed, and one of several only (RACE-11)', async () => {
  const dir = await freshDir();
  const holder = start(dir);
  assert.equal(await holder.next(), 'locked');
  const waiting = [start(dir, 20_000, 'first'), start(dir, 20_000, 'second')];
  const said = waiting.map((waiter) => waiter.next());
  await kill(holder);
  const first = await Promise.race(said.map(async (line, i) => ({ line: await line, i })));
  assert.equal(first.line, 'locked');
  const [winner, other] = first.i === 0 ? waiting : waiting.toReversed();
  assert.ok(winner && other);
  await assert.rejects(
    lockDirectory(dir, { waitMs: 0 }),
    (error) => isLocked(error) && error.holder?.pid === winner.child.pid,
  );
  assert.equal(await end(winner), 0);
  assert.deepEqual(await Promise.all(said), ['locked', 'locked']);
  assert.equal(await end(other), 0);
});

test('a wait that is not enough says how long it was (RACE-1)', async () => {
  const dir = await freshDir();
  const lock = await lockDirectory(dir, { waitMs: 0, holder: 'freeze' });
  await assert.rejects(
    lockDirectory(dir, { waitMs: 120 }),
    (error) =>
      isLocked(error) && error.message.includes('did not let go within 0.12 s') && error.holder?.verb === 'freeze',
  );
  await lock.release();
});

test('one process does not get a lock twice, and a refused try does not lose it the first one (RACE-1)', async () => {
  const dir = await freshDir();
  const lock = await lockDirectory(dir, { waitMs: 0, holder: 'first' });
  for (let i = 0; i < 3; i++) {
    await assert.rejects(lockDirectory(dir, { waitMs: 0 }), isLocked);
    const other = start(dir);
    assert.match(await other.next(), /^locked: .*\(first, /);
    await end(other);
  }
  await lock.release();
  await lock.release();
  const again = await lockDirectory(dir, { waitMs: 0 });
  await again.release();
});

test('a store on the locked directory cannot be made to open the lock file, which would lose the lock', async () => {
  const dir = await freshDir();
  const lock = await lockDirectory(dir, { waitMs: 0 });
  const store = await openStore(`file://${dir}`);
  for (const key of ['.lock/exclusive', '.lock/holder', '.tmp/x', '.lock']) {
    await assert.rejects(store.get(key), (error) => isSteleError(error, 'malformed'));
  }
  for await (const { key } of store.list('')) {
    assert.fail(`${key} is listed`);
  }
  const other = start(dir);
  assert.match(await other.next(), /^locked: /);
  await end(other);
  await store.close();
  await lock.release();
});

test('locks of different directories do not meet, and one directory by two names is one', async () => {
  const [a, b] = [await freshDir(), await freshDir()];
  const link = join(base, 'another-name');
  await symlink(a, link);
  const locks: Lock[] = [await lockDirectory(a, { waitMs: 0 }), await lockDirectory(b, { waitMs: 0 })];
  await assert.rejects(lockDirectory(link, { waitMs: 0 }), isLocked);
  for (const lock of locks) {
    await lock.release();
  }
});

test('a holder whose name cannot be read holds the lock all the same', async () => {
  const dir = await freshDir();
  const lock = await lockDirectory(dir, { waitMs: 0 });
  for (const name of ['{', '{"pid":"1"}']) {
    await writeFile(join(dir, '.lock', 'holder'), name);
    await assert.rejects(lockDirectory(dir, { waitMs: 0 }), (error) => isLocked(error) && error.holder === undefined);
  }
  await lock.release();
});

test('a directory that cannot be locked is refused, by its path (DISK-3)', async () => {
  const dir = await freshDir();
  await writeFile(join(dir, 'file'), 'x');
  await writeFile(join(dir, '.lock'), 'in the way');
  for (const path of [join(dir, 'file'), dir]) {
    await assert.rejects(
      lockDirectory(path, { waitMs: 0 }),
      (error) => isSteleError(error, 'config') && error.message.includes(path),
    );
  }
});

test('network file systems are known by the number that Linux gives them, with or without a sign', () => {
  assert.equal(networkFileSystem(0x6969), 'NFS');
  assert.equal(networkFileSystem(0xff534d42), 'CIFS');
  assert.equal(networkFileSystem(0xff534d42 - 2 ** 32), 'CIFS');
  assert.equal(networkFileSystem(0xfe534d42), 'SMB 2');
  assert.equal(networkFileSystem(0x65735546), 'FUSE');
  // ext4, tmpfs, overlayfs, btrfs, XFS, ZFS
  for (const local of [0xef53, 0x01021994, 0x794c7630, 0x9123683e, 0x58465342, 0x2fc12fc1]) {
    assert.equal(networkFileSystem(local), undefined);
  }
});

test('a holder prints no warning, and other warnings are not lost', async () => {
  const holder = start(await freshDir());
  assert.equal(await holder.next(), 'locked');
  assert.equal(await end(holder), 0);
  assert.equal(holder.stderr(), '');
  const { emitWarning } = process;
  assert.equal(typeof loadSqlite().DatabaseSync, 'function');
  assert.equal(process.emitWarning, emitWarning);
});
