/** What operators copy from examples/, held by the programs that it is for; and the examples that need servers, run. */

import assert from 'node:assert/strict';
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeNginxConfig } from '../../examples/shared/servers.ts';
import { temporaryFolder } from '../cli/run-stele.ts';
import { realPrograms, runProgram } from './real-programs.ts';

const ROOT = join(import.meta.dirname, '../..');
const EXAMPLES = join(ROOT, 'examples');
const LIMIT_MS = 180_000;
const folder = temporaryFolder();

test('systemd-analyze finds nothing wrong with the units, and little that they could still give up', (t) => {
  const programs = realPrograms(t, 'systemd-analyze');
  if (programs === undefined) return;
  const systemd = programs['systemd-analyze'];
  const units = join(folder, 'units');
  mkdirSync(units);
  const names = readdirSync(join(EXAMPLES, 'systemd'));
  for (const name of names) {
    const text = readFileSync(join(EXAMPLES, 'systemd', name), 'utf8');
    // Where tests run nothing is installed: a program that is there stands in for it.
    writeFileSync(join(units, name), text.replaceAll('/usr/bin/stele ', `${process.execPath} `));
  }
  const paths = names.map((name) => join(units, name));
  const verified = spawnSync(systemd, ['verify', '--recursive-errors=no', ...paths], { encoding: 'utf8' });
  assert.deepEqual([verified.status, verified.stderr], [0, '']);

  const broken = join(units, 'broken.service');
  writeFileSync(broken, '[Service]\nExecStart=/nowhere/stele\nProtectSytem=strict\n');
  const refused = spawnSync(systemd, ['verify', '--recursive-errors=no', broken], { encoding: 'utf8' });
  assert.match(refused.stderr, /ProtectSytem/, 'it would say so');

  for (const path of paths.filter((name) => name.endsWith('.service'))) {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=20', path];
    const judged: SpawnSyncReturns<string> = spawnSync(systemd, args, { encoding: 'utf8' });
    assert.equal(judged.status, 0, `${judged.stdout.split('\n').slice(-3).join('\n')}${judged.stderr}`);
  }
});

/** What `nginx -t` says of a configuration, which is nothing where it is well. */
async function checkConfig(
  nginx: string,
  place: string,
  servers: string,
): Promise<[status: number | null, said: string]> {
  const config = await writeNginxConfig(place, servers);
  const args = ['-t', '-q', '-p', `${place}/`, '-c', config, '-e', 'stderr'];
  const checked = spawnSync(nginx, args, { encoding: 'utf8' });
  return [checked.status, checked.stderr];
}

/** An example as it is; only its cache would be made where it says, which is not ours to write to. */
function nginxText(name: string): string {
  return readFileSync(join(EXAMPLES, 'nginx', name), 'utf8').replace('/var/cache/nginx/stele', 'cache');
}

test('nginx takes each of its examples as it is, and both side by side', async (t) => {
  const programs = realPrograms(t, 'nginx');
  if (programs === undefined) return;
  const { nginx } = programs;
  const names = readdirSync(join(EXAMPLES, 'nginx'));
  assert.deepEqual(names.sort(), ['directory.conf', 'minio-cache.conf']);
  for (const name of names) {
    assert.deepEqual(await checkConfig(nginx, join(folder, name), nginxText(name)), [0, ''], name);
  }
  const [directory = '', bucket = ''] = names.map(nginxText);
  const both = directory + bucket.replace('server_name log.example', 'server_name bucket.example');
  assert.deepEqual(await checkConfig(nginx, join(folder, 'both'), both), [0, '']);
  const [status, said] = await checkConfig(nginx, join(folder, 'broken'), directory.replace('root /var', 'rot /var'));
  assert.deepEqual([status, /unknown directive "rot"/.test(said)], [1, true], said);
});

async function runExample(name: string, ...programs: string[]): Promise<void> {
  const args = ['--conditions=source', join(EXAMPLES, name), ...programs];
  const { status, stdout, stderr } = await runProgram(process.execPath, args, LIMIT_MS);
  assert.equal(status, 0, `${stdout.slice(-3_000)}\n${stderr.slice(-2_000)}`);
  assert.match(stdout, /It works\.\n$/);
}

test('examples/cron-nginx.ts: one-shots from cron into a folder that nginx serves', async (t) => {
  const programs = realPrograms(t, 'nginx');
  if (programs !== undefined) await runExample('cron-nginx.ts', programs.nginx);
});

test('examples/minio-nginx.ts: a log on MinIO, read by everyone through nginx with a cache', async (t) => {
  const programs = realPrograms(t, 'minio', 'nginx');
  if (programs !== undefined) await runExample('minio-nginx.ts', programs.minio, programs.nginx);
});

test('examples/two-sequencers.ts: two on one bucket, one of them killed', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs !== undefined) await runExample('two-sequencers.ts', programs.minio);
});
