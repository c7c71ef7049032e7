/** `stele doctor` and a log in buckets of a real server: nothing is wrong with one that `init` made. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { allowPublicRead } from '../../src/store/index.ts';
import { stele, temporaryFolder } from '../cli/run-stele.ts';
import { realPrograms } from './real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio } from './servers.ts';

test('a log that init made on MinIO is well; a private store that everyone can read is not, and init refuses it', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  setEnvironment(t, MINIO_CREDENTIALS);
  const folder = temporaryFolder();
  await using server = await startMinio(programs.minio, join(folder, 'minio'));
  const base = `minio://${new URL(server.url).host}`;
  const dir = join(folder, 'log');
  const init = ['init', dir, '--origin', 'log.example/doctor', '--public-read'];
  const stores = ['--public-store', `${base}/doctor-public/log`, '--private-store', `${base}/doctor-private/log`];
  assert.equal((await stele([...init, ...stores])).status, 0);
  await stele(['add', '-C', dir, '--lines', '-'], { input: 'one\ntwo\n' });
  assert.equal((await stele(['sequence', '-C', dir, '--once'])).status, 0);
  const well = await stele(['doctor', dir]);
  assert.match(well.stdout, /^0 problems, 0 warnings, 0 not checked, \d+ ok$/m, well.stdout);
  assert.equal(well.status, 0);

  await allowPublicRead(`${base}/doctor-private/log`);
  const open = await stele(['doctor', dir]);
  assert.equal(open.status, 1);
  assert.match(open.stdout, /problem\s+private-store/);
  const other = ['--public-store', `${base}/other-public/log`, '--private-store', `${base}/doctor-private/log/two`];
  const refused = await stele(['init', join(folder, 'two'), '--origin', 'log.example/two', ...other]);
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /everyone can read/);
});
