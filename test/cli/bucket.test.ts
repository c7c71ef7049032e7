/** Submitting to and sequencing a log whose queue is in a bucket, on the stub of an S3 server. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sequencerSettings } from '../../src/cli/writing.ts';
import { systemClock } from '../../src/clock.ts';
import { BucketQueue, readBucketReceipt } from '../../src/queue/index.ts';
import { openStore, publicUrl } from '../../src/store/index.ts';
import { answersFor, take } from '../queue/queue-fixture.ts';
import { type S3Stub, startS3Stub } from '../store/s3-stub/index.ts';
import { type Ran, start, steleHere, temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();

async function ok(args: readonly string[], input = ''): Promise<Ran> {
  const ran = await steleHere(args, { input });
  assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
  return ran;
}

interface BucketLog {
  readonly stub: S3Stub;
  readonly dir: string;
  readonly vkey: string;
  /** URL of the public store for anybody. */
  readonly base: string;
  /** URL of the queue, for those who may write to it. */
  readonly queue: string;
}

async function bucketLog(t: TestContext, name: string): Promise<BucketLog> {
  const stub = await startS3Stub();
  t.after(() => stub.close());
  const dir = join(folder, name);
  const stores = { public: stub.storeUrl(`${name}/log`), private: stub.storeUrl(`${name}-private/log`) };
  const places = ['--public-store', stores.public, '--private-store', stores.private, '--public-read'];
  const { stdout } = await ok(['init', dir, '--origin', `log.example/${name}`, ...places]);
  return { stub, dir, vkey: stdout.trim(), base: await publicUrl(stores.public), queue: `${stores.private}/queue` };
}

/** A sequencer as a service; the result stops it and gives its report. */
async function serve(t: TestContext, dir: string, ...args: string[]): Promise<() => Promise<Ran>> {
  const service = start(['sequence', '-C', dir, '--publish.interval', '50ms', '--json', ...args]);
  t.after(() => service.child.kill('SIGKILL'));
  await service.said(/sequencing/);
  return () => {
    service.child.kill('SIGTERM');
    return service.ended;
  };
}

test('what is submitted to the bucket by somebody without a log is sequenced, verified in the public log, and proven', async (t) => {
  const { dir, vkey, base, queue } = await bucketLog(t, 'flow');
  writeFileSync(join(folder, 'first'), 'first entry');
  const { stdout } = await ok(['add', '--queue', queue, join(folder, 'first')]);
  assert.match(stdout, /^[0-9]{16}-[0-9a-f]{16}-0000000001-[0-9a-f]{64}\n$/);
  const once = await ok(['sequence', '-C', dir, '--once', '--json']);
  assert.deepEqual(JSON.parse(once.stdout), { size: 1, appended: 1, duplicates: 0, refused: 0 });

  const stop = await serve(t, dir, '--queue.poll', '100ms');
  const log = ['--log', base, '--vkey', vkey];
  const remote = await ok(['add', '--queue', queue, '--wait', ...log, '--lines', '-'], 'a\nfirst entry\nb\na\n');
  assert.deepEqual([remote.stdout, remote.stderr], ['1\n0\n2\n1\n', '']);
  const believed = await ok(['add', '--queue', queue, '--wait', '--lines', '-'], 'c\n');
  assert.equal(believed.stdout, '3\n');
  assert.match(believed.stderr, /^not verified, .*--log.*--vkey.*\n$/);
  const local = await ok(['add', '-C', dir, '--wait', '--lines', '-', '--json'], 'd\nb\n');
  assert.deepEqual([JSON.parse(local.stdout), local.stderr], [[4, 2], '']);
  const { status, stdout: events } = await stop();
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(events.trim().split('\n').at(-1) ?? ''), {
    size: 5,
    appended: 4,
    duplicates: 3,
    refused: 0,
  });

  const proof = join(folder, 'first.tlog-proof');
  await ok(['prove', base, '0', '--vkey', vkey, '-o', proof]);
  assert.match(
    (await ok(['verify', '--vkey', vkey, '--proof', proof, join(folder, 'first')])).stdout,
    /^verified: entry 0/,
  );
  await ok(['fsck', base, '--vkey', vkey]);
});

test('a receipt that lies is found out with --log, and without it the queue is believed and that is said', async (t) => {
  const { dir, vkey, base, queue } = await bucketLog(t, 'lies');
  await ok(['add', '-C', dir, '--lines', '-'], 'one\ntwo\n');
  await ok(['sequence', '-C', dir, '--once']);
  const liar = new BucketQueue({ store: await openStore(queue), prefix: '' }, { clock: systemClock });
  t.after(() => liar.close());
  const lie = async (args: readonly string[]): Promise<Ran> => {
    const adding = steleHere(['add', '--queue', queue, '--wait', '--lines', '-', ...args], { input: 'other\n' });
    for (let items = await take(liar); ; items = await take(liar)) {
      await liar.answer(answersFor(items, 1));
      if (items.length > 0) return adding;
      await systemClock.sleep(10);
    }
  };
  const believed = await lie([]);
  assert.deepEqual([believed.status, believed.stdout], [0, '1\n']);
  assert.match(believed.stderr, /not verified/);
  const verified = await lie(['--log', base, '--vkey', vkey]);
  assert.deepEqual([verified.status, verified.stdout], [1, '']);
  assert.match(verified.stderr, /says index 1, where the log has another entry/);
});

test('a crash between publication and receipt leaves the item, which is answered with the same indices later (CRASH-5)', async (t) => {
  const { stub, dir, vkey, base, queue } = await bucketLog(t, 'crash');
  const { stdout } = await ok(['add', '--queue', queue, '--lines', '-'], 'a\nb\n');
  // Fatal at that very moment: the checkpoint stands, nobody knows.
  stub.misbehave({ do: 'refuse', status: 403, code: 'AccessDenied', kind: 'PUT', key: /queue\/done\// });
  const crashed = await steleHere(['sequence', '-C', dir, '--once']);
  assert.equal(crashed.status, 2, crashed.stderr);
  assert.match((await ok(['checkpoint', base, '--vkey', vkey])).stdout, /^log\.example\/crash\n2\n/);
  stub.reset();
  const { stdout: report } = await ok(['sequence', '-C', dir, '--once', '--json']);
  assert.deepEqual(JSON.parse(report), { size: 2, appended: 0, duplicates: 2, refused: 0 });
  const place = { store: await openStore(queue), prefix: '' };
  const receipt = await readBucketReceipt(place, stdout.trim());
  await place.store.close();
  assert.deepEqual(receipt?.outcomes, [
    { index: 0, duplicate: true },
    { index: 1, duplicate: true },
  ]);
  assert.deepEqual(
    stub.keys('crash-private').filter((key) => key.includes('/new/')),
    [],
  );
});

test('two sequencers on one queue give every entry one index, and everybody who waits an answer', async (t) => {
  const { dir, vkey, base, queue } = await bucketLog(t, 'pair');
  const stops = [await serve(t, dir, '--queue.poll', '50ms'), await serve(t, dir, '--queue.poll', '70ms')];
  const log = ['--log', base, '--vkey', vkey];
  const lines = (who: number): string[] => Array.from({ length: 30 }, (_, i) => `${who}-${i}`);
  const submit = async (who: number): Promise<string[]> => {
    const indices: string[] = [];
    for (let from = 0; from < 30; from += 10) {
      const input = `${[...lines(who).slice(from, from + 10), 'shared'].join('\n')}\n`;
      const { stdout } = await ok(['add', '--queue', queue, '--wait', ...log, '--lines', '-'], input);
      indices.push(...stdout.trim().split('\n'));
    }
    return indices;
  };
  const indices = (await Promise.all([submit(0), submit(1), submit(2)])).flat();
  assert.equal(indices.length, 99);
  assert.equal(new Set(indices).size, 91, 'one entry is shared by all');
  for (const stop of stops) assert.equal((await stop()).status, 0);
  const { stdout } = await ok(['fsck', base, '--vkey', vkey, '--json']);
  assert.equal(JSON.parse(stdout).size, 91);
});

test('without a sequencer the wait ends as something to try again, and the item stays', async (t) => {
  const { stub, dir, queue } = await bucketLog(t, 'alone');
  const { status, stdout, stderr } = await steleHere(
    ['add', '--queue', queue, '--wait', '--timeout', '200ms', '--lines', '-'],
    { input: 'x\n' },
  );
  assert.deepEqual([status, stdout], [3, '']);
  assert.match(stderr, /no answer for 1 of 1 queue items, which stay in the queue.*within 200 ms/);
  const waiting = (): string[] => stub.keys('alone-private').filter((key) => key.startsWith('log/queue/new/'));
  assert.equal(waiting().length, 1);
  await ok(['sequence', '-C', dir, '--once']);
  assert.equal(waiting().length, 0);
});

test('an idle sequencer asks the bucket one LIST a poll, and nothing else', async (t) => {
  const { stub, dir } = await bucketLog(t, 'idle');
  const stop = await serve(t, dir, '--queue.poll', '100ms');
  await systemClock.sleep(300);
  stub.reset();
  await systemClock.sleep(1_000);
  const { LIST, GET, PUT, DELETE } = stub.counts;
  assert.deepEqual([GET, PUT, DELETE], [0, 0, 0]);
  assert.ok(LIST >= 3 && LIST <= 10, `${LIST} lists in a second`);
  assert.deepEqual(
    new Set(stub.asked.filter(({ kind }) => kind === 'LIST').map(({ key }) => key)),
    new Set(['log/queue/new/']),
  );
  await stop();
});

test('queue.url puts the queue elsewhere: a bucket for a log in folders, but no folder for a log in buckets', async (t) => {
  const stub = await startS3Stub();
  t.after(() => stub.close());
  const dir = join(folder, 'mixed');
  await ok(['init', dir, '--origin', 'log.example/mixed']);
  const queue = stub.storeUrl('submissions/of/mixed');
  const configured = async (args: readonly string[], input = ''): Promise<Ran> => {
    const ran = await steleHere([...args, '-C', dir], { input, env: { STELE_QUEUE_URL: queue } });
    assert.equal(ran.status, 0, ran.stderr);
    return ran;
  };
  await ok(['add', '--queue', queue, '--lines', '-'], 'a\n');
  await configured(['add', '--lines', '-'], 'b\n');
  const { stdout } = await configured(['sequence', '--once', '--json']);
  assert.equal(JSON.parse(stdout).size, 2);
  assert.deepEqual(
    stub.keys('submissions').filter((key) => key.includes('/new/')),
    [],
  );

  const bucket = await bucketLog(t, 'no-folder');
  const refused = await steleHere(['sequence', '-C', bucket.dir, '--once'], { env: { STELE_QUEUE_URL: 'spool' } });
  assert.equal(refused.status, 2);
  assert.match(refused.stderr, /queue\.url .*no lock keeps a second sequencer away/);
});

test('a spool is a queue that --queue can name, too', async () => {
  const dir = join(folder, 'spool');
  const { stdout } = await ok(['init', dir, '--origin', 'log.example/spool']);
  const queue = join(dir, 'private', 'queue');
  await ok(['add', '--queue', queue, '--lines', '-'], 'a\n');
  await ok(['sequence', '-C', dir, '--once']);
  const service = start(['sequence', '-C', dir]);
  await service.said(/sequencing/);
  const log = ['--log', `file://${dir}/public`, '--vkey', stdout.trim()];
  const added = await ok(['add', '--queue', `file://${queue}`, '--wait', ...log, '--lines', '-'], 'b\na\n');
  assert.equal(added.stdout, '1\n0\n');
  service.child.kill('SIGTERM');
  await once(service.child, 'close');
});

test('with either store in a bucket the cadence is that of buckets, unless something else is configured', () => {
  const intervalOf = (publicStore: string, privateStore: string, interval?: number): number => {
    const stores = { public: publicStore, private: privateStore };
    const publish = interval === undefined ? undefined : { interval };
    return sequencerSettings({ dir: folder, origin: 'o', stores, publish }, 1).publishIntervalMs;
  };
  assert.equal(intervalOf('public', 'private'), 100);
  assert.equal(intervalOf('s3://a/log', 's3://b/log'), 1_000);
  assert.equal(intervalOf('public', 's3://b/log'), 1_000);
  assert.equal(intervalOf('minio://127.0.0.1:9000/a/log', 'private'), 1_000);
  assert.equal(intervalOf('s3://a/log', 's3://b/log', 250), 250);
});

test('a queue that is none, and a log that nobody waits to verify in, are refused before anything is submitted', async () => {
  const wrong: readonly [args: readonly string[], message: RegExp][] = [
    [['--queue', 'https://log.example/queue'], /https:.* is not a queue/],
    [['--queue', 'mem:queue'], /is not a queue/],
    [['--queue', 'file://elsewhere/queue'], /is not a queue/],
    [['--queue', 's3://B/queue'], /bucket/],
    [['--queue', folder, '--log', folder], /--log and --vkey go with --queue and --wait/],
    [['--queue', folder, '--wait', '--vkey', 'x'], /--log and --vkey go with --queue and --wait/],
    [['--wait', '--log', folder], /--log and --vkey go with --queue and --wait/],
    [['--queue', folder, '--wait', '--log', 'https://log.example/'], /verifier key must come from elsewhere/],
  ];
  for (const [args, message] of wrong) {
    const { status, stdout, stderr } = await steleHere(['add', ...args, '--lines', '-'], { input: 'x\n' });
    assert.deepEqual([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, message);
  }
});
