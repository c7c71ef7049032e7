import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { BusyError, DeniedError, isSteleError, SteleError } from '../../src/errors.ts';
import { readBucketReceipt } from '../../src/queue/index.ts';
import { UnreachableError } from '../../src/store/index.ts';
import { makeBucket } from './bucket-fixture.ts';
import { answersFor, entriesOf, MIB, receiveAll, text } from './queue-fixture.ts';

const forever = new AbortController().signal;

/** A clock whose pauses take no time, and are remembered. */
function hurried(): Clock & { readonly pauses: number[] } {
  const pauses: number[] = [];
  let now = 1_764_000_000_000;
  return {
    pauses,
    now: () => now,
    async sleep(ms, signal) {
      if (ms === 60_000) return new Promise((resolve) => signal?.addEventListener('abort', () => resolve()));
      pauses.push(ms);
      now += ms;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a submitter puts below new/ and asks for nothing else', async (t) => {
  const bucket = makeBucket(t);
  const names = await bucket.submitter().submit([text('a'), text('b')]);
  assert.deepEqual(
    bucket.requests,
    names.map((name) => `create queue/new/${name}`),
  );
});

test('a PUT whose answer is lost is done again under the same name: one item, whether or not it arrived', async (t) => {
  for (const when of ['before', 'after'] as const) {
    const bucket = makeBucket(t);
    const clock = hurried();
    let lost = 0;
    bucket[when] = (operation) => {
      if (operation !== 'create' || lost === 3) return;
      lost += 1;
      throw new SteleError('outcome-unknown', 'planted');
    };
    const names = await bucket.submitter(clock).submit([text('a')]);
    assert.equal(new Set(bucket.requests).size, 1);
    assert.deepEqual(clock.pauses, [200, 400, 800]);
    assert.deepEqual(await bucket.names('new'), names);
    assert.deepEqual(entriesOf(await bucket.open().receive(MIB)), [['a']]);
  }
});

test('a server that asks for a pause is given it, within reason', async (t) => {
  const bucket = makeBucket(t);
  const clock = hurried();
  const asked = [0, 3_000, 900_000];
  bucket.before = () => {
    const retryAfterMs = asked.shift();
    if (retryAfterMs !== undefined) throw new UnreachableError('503', { retryAfterMs });
  };
  await bucket.submitter(clock).submit([text('a')]);
  assert.deepEqual(clock.pauses, [200, 3_000, 20_000]);
});

test('an item that arrives a second time, when it has been answered, is answered again and known to all as before', async (t) => {
  const bucket = makeBucket(t);
  const queue = bucket.open();
  const submitter = bucket.submitter(hurried());
  bucket.after = async (operation) => {
    if (operation !== 'create') return;
    bucket.after = () => {};
    await queue.answer(answersFor(await queue.receive(MIB), 5));
    throw new SteleError('outcome-unknown', 'planted');
  };
  const [name = ''] = await submitter.submit([text('a')]);
  const again = await receiveAll(queue);
  assert.deepEqual(entriesOf(again), [['a']]);
  await queue.answer(
    again.map((item) => ({ item, receipt: { outcomes: [{ index: 5, duplicate: true }], treeSize: 9 } })),
  );
  const receipt = await submitter.waitForReceipt(name, { timeoutMs: 60_000, clock: hurried(), signal: forever });
  assert.deepEqual(receipt.outcomes, [{ index: 5, duplicate: false }]);
  assert.deepEqual(await bucket.names('new'), []);
});

test('what was not submitted, what may have been, and what is refused are told apart', async (t) => {
  const many = Array.from({ length: 65_536 + 1 }, () => text('x'));
  const failing = (code: 'unreachable' | 'outcome-unknown' | 'config', from: number) => {
    const bucket = makeBucket(t);
    let puts = 0;
    bucket.before = () => {
      puts += 1;
      if (puts > from) throw new SteleError(code, 'planted');
    };
    return { bucket, clock: hurried() };
  };
  const cases = [
    { code: 'unreachable', from: 0, thrown: 'unreachable', tries: 6 },
    { code: 'outcome-unknown', from: 0, thrown: 'outcome-unknown', tries: 6 },
    { code: 'config', from: 0, thrown: 'config', tries: 1 },
    { code: 'unreachable', from: 1, thrown: 'outcome-unknown', tries: 7 },
    { code: 'config', from: 1, thrown: 'outcome-unknown', tries: 2 },
  ] as const;
  for (const { code, from, thrown, tries } of cases) {
    const { bucket, clock } = failing(code, from);
    const submitter = bucket.submitter(clock);
    await assert.rejects(
      submitter.submit(many),
      (error) => isSteleError(error, thrown) && error.message.includes('planted'),
      `${code} from ${from}`,
    );
    assert.equal(bucket.requests.length, tries);
    assert.equal((await bucket.names('new')).length, from);
    // One that failed holds up none of the next.
    bucket.before = () => {};
    await submitter.submit([text('next')]);
  }
});

test('an answer that a late refusal hides stays unknown: the first PUT may have arrived', async (t) => {
  const bucket = makeBucket(t);
  let puts = 0;
  bucket.after = () => {
    puts += 1;
    throw new SteleError(puts === 1 ? 'outcome-unknown' : 'config', 'planted');
  };
  await assert.rejects(bucket.submitter(hurried()).submit([text('a')]), (error) =>
    isSteleError(error, 'outcome-unknown'),
  );
});

test('whoever may only GET done/ is denied until the receipt is there, waits through that, and reads nothing else', async (t) => {
  const bucket = makeBucket(t);
  const clock = hurried();
  const submitter = bucket.submitter(clock);
  const queue = bucket.open();
  const [name = ''] = await submitter.submit([text('a')]);
  const items = await queue.receive(MIB);
  bucket.requests.length = 0;
  bucket.before = async (operation, key) => {
    if (operation !== 'get') return;
    if (bucket.requests.length === 3) throw new SteleError('unreachable', 'planted');
    if (bucket.requests.length === 7) {
      bucket.before = () => {};
      await queue.answer(answersFor(items));
    } else if (!(await bucket.names('done')).some((each) => key.endsWith(each))) throw new DeniedError('403');
  };
  const receipt = await submitter.waitForReceipt(name, { timeoutMs: 60_000, clock, signal: forever });
  assert.equal(receipt.treeSize, 1);
  assert.deepEqual(
    new Set(bucket.requests.filter((request) => request.startsWith('get'))),
    new Set([`get queue/done/${name}`]),
  );
  assert.deepEqual(clock.pauses, [100, 200, 400, 800, 1_600, 2_000]);
});

test('a wait in vain says what kept it from looking; what is wrong for good ends it at once', async (t) => {
  const bucket = makeBucket(t);
  const submitter = bucket.submitter();
  const [name = ''] = await submitter.submit([text('a')]);
  const wait = { timeoutMs: 0, clock: hurried(), signal: forever };
  bucket.before = () => {
    throw new DeniedError('403, you may not');
  };
  await assert.rejects(
    submitter.waitForReceipt(name, wait),
    (error) => error instanceof BusyError && /stays in the queue.*403, you may not/.test(error.message),
  );
  bucket.before = () => {
    throw new SteleError('config', 'no credentials');
  };
  await assert.rejects(submitter.waitForReceipt(name, wait), (error) => isSteleError(error, 'config'));
  bucket.before = () => {};
  const place = { store: bucket.store, prefix: 'queue/' };
  await assert.rejects(readBucketReceipt(place, '../new/x'), (error) => isSteleError(error, 'malformed'));
  await bucket.inside.create(`queue/done/${name}`, text('stele-receipt/v1\nnonsense\n'), {
    contentType: '',
    cacheControl: '',
  });
  await assert.rejects(
    submitter.waitForReceipt(name, wait),
    (error) => isSteleError(error, 'malformed') && error.message.includes(`queue/done/${name}`),
  );
});
