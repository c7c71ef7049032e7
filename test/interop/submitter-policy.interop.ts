/** examples/submitter-policy.json on a real MinIO: enough to submit and to wait, and not enough for anything else. */

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { AssumeRoleProvider } from 'minio/dist/esm/AssumeRoleProvider.mjs';
import { DeniedError } from '../../src/errors.ts';
import { openStore, publicUrl } from '../../src/store/index.ts';
import { start, stele } from '../cli/run-stele.ts';
import { realPrograms } from './real-programs.ts';
import { MINIO_CREDENTIALS, setEnvironment, startMinio } from './servers.ts';

const POLICY = join(import.meta.dirname, '..', '..', 'examples', 'submitter-policy.json');
/** Where the example's queue is. */
const PRIVATE = 'demo-private/log';
const READY_MS = 15_000;
const META = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

/** Credentials of somebody who may do what the policy allows. MinIO hands them out as AWS does, to whoever has more. */
async function withPolicy(server: string): Promise<Record<string, string>> {
  const role = new AssumeRoleProvider({
    stsEndpoint: server,
    accessKey: MINIO_CREDENTIALS.MINIO_ROOT_USER,
    secretKey: MINIO_CREDENTIALS.MINIO_ROOT_PASSWORD,
    region: 'us-east-1',
    policy: await readFile(POLICY, 'utf8'),
  });
  // It is up before it knows of users.
  for (const end = Date.now() + READY_MS; ; await sleep(100)) {
    try {
      const { accessKey, secretKey, sessionToken = '' } = await role.getCredentials();
      return { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_SESSION_TOKEN: sessionToken };
    } catch (error) {
      if (Date.now() > end || !/not initialized/.test(String(error))) throw error;
    }
  }
}

async function freshFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'stele-policy-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('with the policy of the example one can submit to a queue and wait for the answer, and do nothing else', async (t) => {
  const programs = realPrograms(t, 'minio');
  if (programs === undefined) return;
  const folder = await freshFolder(t);
  await using server = await startMinio(programs.minio, join(folder, 'minio'));
  const { host } = new URL(server.url);
  const submitterOnly = await withPolicy(server.url);

  const dir = join(folder, 'log');
  const stores = { public: `minio://${host}/demo/log`, private: `minio://${host}/${PRIVATE}` };
  const places = ['--public-store', stores.public, '--private-store', stores.private, '--public-read'];
  const made = await stele(['init', dir, '--origin', 'log.example/demo', ...places], { env: MINIO_CREDENTIALS });
  assert.equal(made.status, 0, made.stderr);
  const sequencer = start(['sequence', '-C', dir, '--queue.poll', '200ms'], { env: MINIO_CREDENTIALS });
  t.after(() => sequencer.child.kill('SIGKILL'));
  await sequencer.said(/sequencing/);

  setEnvironment(t, submitterOnly);
  const log = ['--log', await publicUrl(stores.public), '--vkey', made.stdout.trim()];
  const added = await stele(['add', '--queue', `${stores.private}/queue`, '--wait', ...log, '--lines', '-'], {
    input: 'a\nb\na\n',
    env: submitterOnly,
  });
  assert.deepEqual([added.status, added.stdout, added.stderr], [0, '0\n1\n0\n', '']);

  const mine = await openStore(stores.private);
  t.after(() => mine.close());
  const denied = (work: Promise<unknown>, what: string): Promise<void> =>
    assert.rejects(work, (error) => error instanceof DeniedError, what);
  assert.equal(await mine.create('queue/new/stranger', new Uint8Array(1), META), true);
  await denied(mine.get('queue/new/stranger'), 'reading what waits');
  await denied(mine.delete('queue/new/stranger'), 'taking it away');
  await denied(mine.create('queue/done/forged', new Uint8Array(1), META), 'writing a receipt');
  await denied(mine.create('queue/bad/x', new Uint8Array(1), META), 'writing to bad/');
  await denied(mine.create('journal/0000000000000000', new Uint8Array(1), META), 'writing to the journal');
  await denied(mine.get('log.json'), 'reading the private store');
  for (const prefix of ['', 'queue/new/', 'queue/done/']) {
    await denied(mine.list(prefix)[Symbol.asyncIterator]().next(), `listing ${prefix}`);
  }
  const its = await openStore(stores.public);
  t.after(() => its.close());
  await denied(its.create('checkpoint', new Uint8Array(1), META), 'writing to the public store');

  sequencer.child.kill('SIGTERM');
  assert.equal((await sequencer.ended).status, 0);
});
