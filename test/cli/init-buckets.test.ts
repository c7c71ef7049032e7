/** `stele init` and `stele doctor` with stores in buckets, on the stub of an S3 server. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { parse } from 'yaml';
import type { Finding } from '../../src/client/index.ts';
import { allowPublicRead, ensureBucket, isPubliclyReadable, publicUrl } from '../../src/store/index.ts';
import { startS3Stub } from '../store/s3-stub/index.ts';
import { type Ran, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();

interface Server {
  /** URL of a store in `bucket/prefix`, whose bucket nobody has made. */
  storeUrl(place: string): string;
  /** From now on conditions on writes are taken for decoration. */
  ignoreConditions(): void;
}

async function stub(t: TestContext): Promise<Server> {
  const server = await startS3Stub();
  t.after(() => server.close());
  return {
    storeUrl: (place) => `minio://${new URL(server.endpoint).host}/${place}`,
    ignoreConditions: () => server.misbehave({ do: 'ignore-conditions' }),
  };
}

function init(name: string, stores: { public: string; private: string }, ...args: string[]): Promise<Ran> {
  const places = ['--public-store', stores.public, '--private-store', stores.private];
  return steleHere(['init', join(folder, name), '--origin', `log.example/${name}`, ...places, ...args]);
}

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

async function findings(args: readonly string[]): Promise<{ status: number | null; amiss: Finding[]; all: Finding[] }> {
  const { status, stdout } = await steleHere(['doctor', ...args, '--json']);
  const all = (JSON.parse(stdout) as { findings: Finding[] }).findings;
  return { status, all, amiss: all.filter(({ verdict }) => verdict !== 'ok') };
}

// The doctor waits a while between two requests for one object.
suite('buckets', { concurrency: true }, () => {
  test('init makes both buckets, opens the public one to readers where that is asked for, and can be run again', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('demo/log'), private: server.storeUrl('demo-private/log') };
    const made = await init('made', stores, '--public-read');
    assert.equal(made.status, 0, made.stderr);
    assert.match(made.stderr, /made the bucket of minio:.*demo\/log/);
    assert.match(made.stderr, /made the bucket of minio:.*demo-private\/log/);
    assert.match(made.stderr, /everyone can read http.*demo\/log\//);
    assert.deepEqual(parse(readFileSync(join(folder, 'made/stele.yaml'), 'utf8')).stores, stores);
    const base = await publicUrl(stores.public);
    assert.equal((await fetch(`${base}checkpoint`)).status, 200);
    assert.equal((await fetch(`${await publicUrl(stores.private)}log.json`)).status, 403);

    const again = await init('made', stores, '--public-read');
    assert.equal(again.status, 0, again.stderr);
    assert.match(again.stderr, /is the log log\.example\/made already/);
    assert.doesNotMatch(again.stderr, /made the bucket/);

    const dir = join(folder, 'made');
    await ok(['add', '-C', dir, '--lines', '-'], 'a\nb\n');
    const once = await ok(['sequence', '-C', dir, '--once', '--json']);
    assert.equal(JSON.parse(once.stdout).size, 2);
    assert.equal((await ok(['fsck', base, '--vkey', made.stdout.trim(), '--json'])).status, 0);
  });

  test('without --public-read nothing is opened, and init says so', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('closed/log'), private: server.storeUrl('closed-private/log') };
    const { status, stderr } = await init('closed', stores);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /not everyone can read http.*--public-read/);
    assert.equal(await isPubliclyReadable(stores.public), false);
  });

  test('one bucket is enough, with a prefix for each store: only the public one is opened', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('one/public'), private: server.storeUrl('one/private') };
    const { status, stderr } = await init('one', stores, '--public-read');
    assert.equal(status, 0, stderr);
    assert.equal(await isPubliclyReadable(stores.public), true);
    assert.equal(await isPubliclyReadable(stores.private), false);
  });

  test('a private store that everyone can read is refused, before anything of the log is written', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('open/log'), private: server.storeUrl('open-private/log') };
    await ensureBucket(stores.private);
    await allowPublicRead(stores.private);
    const { status, stderr } = await init('open', stores, '--public-read');
    assert.equal(status, 2);
    assert.match(stderr, /stores\.private: everyone can read minio:.*take public access away/);
    assert.equal(existsSync(join(folder, 'open/stele.yaml')), false);
    assert.equal((await fetch(`${await publicUrl(stores.private)}log.json`)).status, 404);
  });

  test('two stores in one place, one inside the other, or in what is no bucket, are refused', async (t) => {
    const server = await stub(t);
    const at = (path: string) => server.storeUrl(path);
    const cases: [publicStore: string, privateStore: string, why: RegExp][] = [
      [at('same/log'), at('same/log'), /the public store or inside it|are one place/],
      [at('same/log/'), at('same/log'), /the public store or inside it|are one place/],
      [at('same/log'), `${at('same/log')}?concurrency=8`, /the public store or inside it|are one place/],
      // Another spelling of the same place.
      [
        at('same/log'),
        at('same/log').replace(/^minio:\/\/([^/]*)\/(.*)$/, 's3://$2?endpoint=http://$1'),
        /are one place/,
      ],
      [at('same'), at('same/private'), /inside it|in the public one/],
      [at('same/log/public'), at('same/log'), /the public store is in the private one/],
      [at('same/log'), at('Not_A_Bucket/log'), /bucket/i],
      [at('same/log'), 'mem:journal', /gone when this command ends/],
    ];
    for (const [publicStore, privateStore, why] of cases) {
      const { status, stderr } = await init('refused', { public: publicStore, private: privateStore });
      assert.equal(status, 2, `${publicStore} ${privateStore}: ${stderr}`);
      assert.match(stderr, why);
      assert.equal(existsSync(join(folder, 'refused/stele.yaml')), false);
    }
    const inFolders = await steleHere(['init', join(folder, 'refused'), '--origin', 'log.example', '--public-read']);
    assert.equal(inFolders.status, 2);
    assert.match(inFolders.stderr, /--public-read is for buckets/);
  });

  test('doctor tries the conditions of both buckets, unless told to write nothing', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('well/log'), private: server.storeUrl('well-private/log') };
    assert.equal((await init('well', stores, '--public-read')).status, 0);
    const dir = join(folder, 'well');
    const { all, amiss } = await findings([dir]);
    assert.deepEqual(
      amiss.filter(({ check }) => check === 'conditional-writes' || check === 'private-store' || check === 'same-log'),
      [],
    );
    assert.equal(all.filter(({ check }) => check === 'conditional-writes').length, 2);
    const readOnly = (await findings([dir, '--read-only'])).all.filter(({ check }) => check === 'conditional-writes');
    assert.ok(readOnly.every(({ seen }) => seen.includes('not tried')));
  });

  test('doctor finds a private bucket that was opened to everyone, and one whose server ignores conditions', async (t) => {
    const server = await stub(t);
    const stores = { public: server.storeUrl('ill/log'), private: server.storeUrl('ill-private/log') };
    assert.equal((await init('ill', stores, '--public-read')).status, 0);
    const dir = join(folder, 'ill');
    await allowPublicRead(stores.private);
    const opened = await findings([dir, '--read-only']);
    const leak = opened.amiss.find(({ check }) => check === 'private-store');
    assert.deepEqual([opened.status, leak?.verdict], [1, 'problem']);
    assert.match(`${leak?.seen} ${leak?.remedy}`, /can be read by everyone.*at once/);

    server.ignoreConditions();
    const lying = (await findings([dir])).amiss.filter(({ check }) => check === 'conditional-writes');
    assert.equal(lying.length, 2);
    for (const { verdict, seen } of lying) {
      assert.equal(verdict, 'problem');
      assert.match(seen, /minio:/);
    }
  });
});
