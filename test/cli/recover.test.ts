import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Ran, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

const lines = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `entry ${from + i}\n`).join('');

async function append(dir: string, from: number, count: number): Promise<void> {
  await ok(['add', '-C', dir, '--lines', '-'], lines(from, count));
  await ok(['sequence', '-C', dir, '--once']);
}

test('recover mends a directory from which the private store and tiles were lost, and the log goes on (O7)', async () => {
  const dir = join(folder, 'lost');
  await ok(['init', dir, '--origin', 'log.example/lost']);
  await append(dir, 0, 300);
  rmSync(join(dir, 'private'), { recursive: true });
  rmSync(join(dir, 'public/tile/0/001.p'), { recursive: true });
  const found = await steleHere(['recover', '-C', dir]);
  assert.equal(found.status, 1, found.stderr);
  assert.match(found.stdout, /^private-lost: .*would write: tile\/0\/001\.p\/44 .* is missing\n.*--apply/s);
  const applied = await ok(['recover', '-C', dir, '--apply', '--json']);
  assert.deepEqual([JSON.parse(applied.stdout).applied, JSON.parse(applied.stdout).size], [true, 300]);
  await append(dir, 300, 1);
  await ok(['fsck', dir]);
  assert.match((await ok(['recover', '-C', dir])).stdout, /^healthy: /);
});

test('recover takes a damaged bundle from a mirror by URL, and names it where there is none (CORRUPT-8)', async () => {
  const dir = join(folder, 'damaged');
  const mirror = join(folder, 'mirror');
  await ok(['init', dir, '--origin', 'log.example/damaged']);
  await append(dir, 0, 260);
  await append(dir, 260, 5);
  cpSync(join(dir, 'public'), mirror, { recursive: true });
  const bundle = join(dir, 'public/tile/entries/000');
  const bytes = readFileSync(bundle);
  writeFileSync(bundle, bytes.fill(7, 100, 101));
  const refused = await steleHere(['recover', '-C', dir, '--apply']);
  assert.deepEqual([refused.status, refused.stdout], [2, '']);
  assert.match(refused.stderr, /tile\/entries\/000.*--from/);
  await ok(['recover', '-C', dir, '--apply', '--from', pathToFileURL(mirror).href]);
  assert.match((await ok(['fsck', dir])).stdout, /^ok: /);
});
