import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ForkError, LogReader } from '../../src/client/index.ts';
import { SteleError } from '../../src/errors.ts';
import { absent, flip, leaves, TestLog, testClock, verifier } from './test-log.ts';

const entries = leaves(1_000);

/** Follows `log` while `steps` happen to it, one at each look; the last look is after the last step. */
function following(log: TestLog, steps: (() => unknown)[], onUnreachable?: (error: SteleError) => void) {
  const controller = new AbortController();
  const clock = testClock(async (ms) => {
    if (ms !== 1_000) return;
    const step = steps.shift();
    if (step) await step();
    else controller.abort();
  });
  const reader = new LogReader(log.store, verifier, { clock, random: () => 0 });
  const options = { intervalMs: 1_000, signal: controller.signal, ...(onUnreachable && { onUnreachable }) };
  return { reader, options };
}

test('following yields each larger checkpoint once, with the one that it extends', async () => {
  const log = new TestLog(entries);
  await log.publish(0);
  const sizes = [0, 1, 5, 5, 255, 256, 257, 257, 600, 999, 1_000];
  const { reader, options } = following(
    log,
    sizes.map((size) => () => log.publish(size)),
  );
  const seen: [number | undefined, number][] = [];
  for await (const { checkpoint, previous } of reader.follow(undefined, options))
    seen.push([previous?.size, checkpoint.size]);
  const distinct = [...new Set(sizes)];
  assert.deepEqual(
    seen,
    distinct.map((size, i) => [distinct[i - 1], size]),
  );
});

test('following from a known checkpoint starts with the first that is larger', async () => {
  const log = new TestLog(entries);
  const known = await log.publish(300);
  const { reader, options } = following(log, [() => log.publish(300), () => log.publish(400)]);
  const seen: number[] = [];
  for await (const { checkpoint } of reader.follow(known, options)) seen.push(checkpoint.size);
  assert.deepEqual(seen, [400]);
});

test('a stale copy of an older checkpoint is passed over: following never goes back (READ-8)', async () => {
  const log = new TestLog(entries);
  const older = await log.publish(300);
  const newer = await log.sign(700);
  const serve = (checkpoint: typeof older) => () => log.serve(700, checkpoint);
  const { reader, options } = following(log, [serve(newer), serve(older), serve(newer), () => log.publish(701)]);
  const seen: number[] = [];
  for await (const { checkpoint } of reader.follow(undefined, options)) seen.push(checkpoint.size);
  assert.deepEqual(seen, [300, 700, 701]);
});

for (const [what, forkedSize] of [
  ['a larger', 900],
  ['an equal', 700],
  ['a smaller', 650],
] as const) {
  test(`${what} checkpoint of a forked tree ends in a fork, with both as evidence (READ-8)`, async () => {
    const log = new TestLog(entries);
    const known = await log.publish(700);
    const fork = log.forkAt(500);
    const forked = await fork.publish(forkedSize);
    // The fork is served whole, as by an operator who shows it to us alone; or beside tiles that we hold it against.
    const served = forkedSize > 700 ? fork : log;
    const { reader, options } = following(log, [
      () => {
        served.serve(900, forked);
        log.store.object = (key) => served.object(key);
      },
    ]);
    const seen: number[] = [];
    const follow = async () => {
      for await (const { checkpoint } of reader.follow(known, options)) seen.push(checkpoint.size);
    };
    await assert.rejects(follow(), (error) => {
      assert.ok(error instanceof ForkError && error.code === 'fork');
      assert.deepEqual([error.known, error.found.bytes], [known, forked.bytes]);
      return true;
    });
    assert.deepEqual(seen, []);
  });
}

test('a store that went back, and lost the larger tree, is named as such', async () => {
  const log = new TestLog(entries);
  const known = await log.publish(700);
  await log.publish(500);
  const { reader } = following(log, []);
  await assert.rejects(reader.verifyConsistencyWith(known), (error) => {
    assert.ok(error instanceof SteleError && error.code === 'corrupt');
    assert.match(error.message, /size 500 .* size 700, .* went back in time/);
    return true;
  });
});

test('a checkpoint that is unsigned, or signed by another, ends following (READ-8)', async () => {
  const log = new TestLog(entries);
  await log.publish(10);
  for (const damage of [
    (bytes?: Uint8Array) => bytes?.subarray(0, Buffer.from(bytes).indexOf('\n\n') + 2),
    (bytes?: Uint8Array) => bytes && Buffer.from(Buffer.from(bytes).toString().replace('\n10\n', '\n11\n')),
    (bytes?: Uint8Array) =>
      bytes && Buffer.from(Buffer.from(bytes).toString().replaceAll('log.example/test', 'log.example/other')),
  ]) {
    const { reader, options } = following(log, [() => log.store.damaged.set('checkpoint', damage)]);
    const follow = async () => {
      for await (const { checkpoint } of reader.follow(undefined, options)) assert.equal(checkpoint.size, 10);
    };
    await assert.rejects(follow(), (error) => {
      assert.ok(error instanceof SteleError);
      return ['malformed', 'unverified', 'invalid-proof'].includes(error.code);
    });
    log.store.damaged.clear();
  }
});

test('a tree whose tiles do not prove the larger checkpoint is not yielded', async () => {
  const log = new TestLog(entries);
  const known = await log.publish(300);
  await log.publish(700);
  log.store.damaged.set('tile/1/000.p/2', flip(40));
  const { reader } = following(log, []);
  await assert.rejects(reader.verifyConsistencyWith(known), { code: 'corrupt' });
  log.store.damaged.set('tile/1/000.p/2', absent);
  await assert.rejects(reader.verifyConsistencyWith(known), { code: 'not-found' });
  log.store.damaged.clear();
  assert.equal((await reader.verifyConsistencyWith(known)).size, 700);
});

test('an unreachable log ends following, unless the caller bears it', async () => {
  const log = new TestLog(entries);
  await log.publish(300);
  const steps = () => [
    () =>
      log.store.damaged.set('checkpoint', () => {
        throw new SteleError('unreachable', 'answered 503');
      }),
    () => log.store.damaged.clear(),
    () => log.publish(400),
  ];
  const impatient = following(log, steps());
  const seen: number[] = [];
  const follow = async () => {
    for await (const { checkpoint } of impatient.reader.follow(undefined, impatient.options))
      seen.push(checkpoint.size);
  };
  await assert.rejects(follow(), { code: 'unreachable' });
  log.store.damaged.clear();
  const errors: SteleError[] = [];
  const patient = following(log, steps(), (error) => errors.push(error));
  for await (const { checkpoint } of patient.reader.follow(undefined, patient.options)) seen.push(checkpoint.size);
  assert.deepEqual(seen, [300, 300, 400]);
  assert.deepEqual(
    errors.map(({ code }) => code),
    ['unreachable'],
  );
});

test('a checkpoint of another log is not compared', async () => {
  const log = new TestLog(entries);
  const known = await log.publish(300);
  const { reader } = following(log, []);
  await assert.rejects(reader.verifyConsistencyWith({ ...known, origin: 'log.example/other' }), { code: 'config' });
});
