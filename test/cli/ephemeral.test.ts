import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { refuseEphemeral } from '../../src/cli/ephemeral.ts';
import { isSteleError } from '../../src/errors.ts';
import { steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();
const workflow = { GITHUB_ACTIONS: 'true' };

const WRITING = [
  ['sequence', '--once'],
  ['freeze'],
  ['gc'],
  ['recover'],
  ['recover', '--apply'],
  ['add', '--lines', '-'],
] as const;

test('a log in folders is not made inside a workflow, where two runs would fork it, unless that is insisted on', async () => {
  const dir = join(folder, 'made');
  const args = ['init', dir, '--origin', 'log.example/made'];
  const refused = await steleHere(args, { env: workflow });
  assert.deepEqual([refused.status, refused.stdout, existsSync(dir)], [2, '', false]);
  assert.match(refused.stderr, /GITHUB_ACTIONS=true.*two runs would sign two histories.*--allow-ephemeral/);
  const half = await steleHere([...args, '--private-store', 's3://bucket/private'], { env: workflow });
  assert.match(half.stderr, /stores\.public is file:/);
  assert.equal((await steleHere([...args, '--allow-ephemeral'], { env: workflow })).status, 0);
});

test('no writing verb writes to folders inside a workflow; reading verbs do not care', async () => {
  const dir = join(folder, 'written');
  assert.equal((await steleHere(['init', dir, '--origin', 'log.example/written'])).status, 0);
  const files = () => readdirSync(dir, { recursive: true }).sort();
  const before = files();
  for (const [verb, ...rest] of WRITING) {
    const refused = await steleHere([verb, '-C', dir, ...rest], { env: workflow, input: 'x\n' });
    assert.deepEqual([refused.status, refused.stdout], [2, ''], verb);
    assert.match(refused.stderr, /stores\.private is file:.*--allow-ephemeral/, verb);
  }
  assert.deepEqual(files(), before);
  for (const verb of ['checkpoint', 'fsck']) {
    assert.equal((await steleHere([verb, dir], { env: workflow })).status, 0, verb);
  }
  for (const [verb, ...rest] of WRITING) {
    const allowed = await steleHere([verb, '-C', dir, ...rest, '--allow-ephemeral'], { env: workflow, input: 'x\n' });
    // The log is frozen on the way: what was meant is that this reason is gone.
    assert.doesNotMatch(allowed.stderr, /GITHUB_ACTIONS/, verb);
  }
});

test('buckets outlive a workflow, and other machines are none', () => {
  const inFolders = { dir: '/srv/log', stores: { public: 'public', private: 'private' } };
  const inBuckets = { dir: '/srv/log', stores: { public: 's3://a/log', private: 'minio://127.0.0.1:9000/b/log' } };
  const refuses = (stores: typeof inFolders, environment: Record<string, string>): boolean => {
    try {
      refuseEphemeral(stores, { environment, allowEphemeral: false });
      return false;
    } catch (error) {
      assert.ok(isSteleError(error, 'config'));
      return true;
    }
  };
  assert.equal(refuses(inFolders, workflow), true);
  assert.equal(refuses(inBuckets, workflow), false);
  for (const environment of [{}, { CI: 'true' }, { GITHUB_ACTIONS: 'false' }]) {
    assert.equal(refuses(inFolders, environment as Record<string, string>), false);
  }
});
