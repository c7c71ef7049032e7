import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { BUCKET_POLL_MS, submissionId } from '../../src/queue/index.ts';
import { makeBucket } from './bucket-fixture.ts';
import { queueContract } from './contract.ts';
import { ManualClock } from './manual-clock.ts';
import { answersFor, entriesOf, MIB, receiveAll, take, text } from './queue-fixture.ts';

const forever = new AbortController().signal;
const HOUR_MS = 3_600_000;

queueContract({
  name: 'bucket',
  pollMs: BUCKET_POLL_MS,
  async make(t) {
    const bucket = makeBucket(t);
    return {
      open: async (clock) => bucket.open(clock && { clock }),
      openSubmitter: async () => bucket.submitter(),
      waiting: () => bucket.names('new'),
      async snapshot() {
        const keys = (await bucket.names('new')).map((name) => `queue/new/${name}`);
        const objects = await Promise.all(keys.map((key) => bucket.inside.get(key)));
        return async () => {
          for (const [i, key] of keys.entries()) {
            await bucket.inside.create(key, objects[i]?.bytes ?? [], { contentType: '', cacheControl: '' });
          }
        };
      },
    };
  },
});

test('an idle queue costs one LIST a poll and nothing else, and so does a look at a queue that is not empty', async (t) => {
  const bucket = makeBucket(t);
  const clock = new ManualClock();
  const queue = bucket.open({ clock });
  // What a running sequencer does: receive until there is nothing, wait, and so on.
  const poll = async (): Promise<string[]> => {
    bucket.requests.length = 0;
    while ((await queue.receive(MIB)).length > 0);
    const waited = queue.wait(forever);
    clock.advance(BUCKET_POLL_MS);
    await waited;
    return [...bucket.requests];
  };
  for (let polls = 0; polls < 3; polls++) assert.deepEqual(await poll(), ['list queue/new/']);
  const submitter = bucket.submitter();
  await submitter.submit([text('a')]);
  await submitter.submit([text('b')]);
  const names = await bucket.names('new');
  assert.deepEqual(await poll(), ['list queue/new/', ...names.map((name) => `get queue/new/${name}`)]);
  assert.deepEqual(await poll(), ['list queue/new/'], 'what was delivered is not fetched again');
});

test('an answer costs a PUT and a DELETE per item, and the receipt is there before the item goes', async (t) => {
  const bucket = makeBucket(t);
  const queue = bucket.open();
  const [first = ''] = await bucket.submitter().submit([text('a')]);
  await queue.answer(answersFor(await queue.receive(MIB)));
  bucket.requests.length = 0;
  const [second = ''] = await bucket.submitter().submit([text('b')]);
  await queue.answer(answersFor(await take(queue), 1));
  assert.deepEqual(
    bucket.requests.filter((request) => !request.startsWith('list') && request.includes(second)).slice(1),
    [`get queue/new/${second}`, `create queue/done/${second}`, `delete queue/new/${second}`],
  );
  assert.deepEqual(await bucket.names('done'), [first, second].sort());
});

test('news wakes the sequencer although the next poll is an hour away, also news that comes during a look', async (t) => {
  const bucket = makeBucket(t);
  let ring = (): void => assert.fail('nobody listens');
  let stopped = false;
  const queue = bucket.open({
    clock: new ManualClock(),
    pollMs: HOUR_MS,
    listen: (bell) => {
      ring = bell;
      return () => {
        stopped = true;
      };
    },
  });
  const submitter = bucket.submitter();
  while ((await queue.receive(MIB)).length > 0);
  const woken = queue.wait(forever);
  await submitter.submit([text('a')]);
  ring();
  // The clock stands still: nothing but the news can end this.
  await woken;
  assert.deepEqual(entriesOf(await queue.receive(MIB)), [['a']]);

  while ((await queue.receive(MIB)).length > 0);
  // The list is read already, then something comes.
  bucket.after = async (operation) => {
    if (operation !== 'list') return;
    bucket.after = () => {};
    await submitter.submit([text('b')]);
    ring();
  };
  await queue.wait(AbortSignal.abort());
  assert.deepEqual(entriesOf(await queue.receive(MIB)), [['b']]);
  await queue.close();
  assert.equal(stopped, true);
});

test('what is fetched at a time is bounded by its listed size, and fetched in parallel (LIMIT-3)', async (t) => {
  const bucket = makeBucket(t);
  const submitter = bucket.submitter();
  for (let i = 0; i < 40; i++) await submitter.submit([new Uint8Array(50_000).fill(i)]);
  const queue = bucket.open();
  let running = 0;
  let most = 0;
  bucket.before = async (operation) => {
    if (operation !== 'get') return;
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => setImmediate(resolve));
    running -= 1;
  };
  let items = 0;
  for (let batch = await queue.receive(500_000); batch.length > 0; batch = await queue.receive(500_000)) {
    assert.ok(batch.length <= 9, `${batch.length} items of 50,027 bytes`);
    items += batch.length;
  }
  assert.deepEqual([items, most], [40, 9]);
});

test('an item stays until its receipt is left, and is answered again when that failed (FAULT-12)', async (t) => {
  const failures: readonly [operation: string, when: 'before' | 'after'][] = [
    ['create', 'before'],
    ['create', 'after'],
    ['delete', 'before'],
    ['delete', 'after'],
  ];
  for (const [failing, when] of failures) {
    const bucket = makeBucket(t);
    const queue = bucket.open();
    const submitter = bucket.submitter();
    await submitter.submit([text('a')]);
    await submitter.submit([text('b')]);
    const items = await queue.receive(MIB);
    const [, second = ''] = await bucket.names('new');
    bucket[when] = (operation, key) => {
      if (operation === failing && key.endsWith(second)) throw new SteleError('outcome-unknown', 'planted');
    };
    await assert.rejects(queue.answer(answersFor(items)), (error) => isSteleError(error, 'unreachable'));
    // Whatever has left the queue has its receipt.
    const isThere = async (folder: 'new' | 'done'): Promise<boolean> => (await bucket.names(folder)).includes(second);
    assert.ok((await isThere('new')) || (await isThere('done')));
    assert.deepEqual(await receiveAll(queue), [], 'it is not delivered twice meanwhile');
    bucket[when] = () => {};
    await queue.answer(answersFor(items));
    assert.deepEqual([await bucket.names('new'), (await bucket.names('done')).length], [[], 2], `${failing} ${when}`);
  }
});

test('where one request in ten fails, hundreds of items are answered all the same, and none of them again and again', async (t) => {
  const bucket = makeBucket(t);
  const queue = bucket.open();
  const submitter = bucket.submitter();
  const count = 200;
  for (let i = 0; i < count; i++) await submitter.submit([text(`entry ${i}`)]);
  const items = await receiveAll(queue);
  assert.equal(items.length, count);
  let requests = 0;
  bucket.before = (operation) => {
    if (operation !== 'create' && operation !== 'delete') return;
    requests += 1;
    if (requests % 10 === 0) throw new SteleError('outcome-unknown', 'planted');
  };
  let calls = 1;
  while (
    await queue.answer(answersFor(items)).then(
      () => false,
      () => true,
    )
  ) {
    calls += 1;
    assert.ok(calls < 20, 'each call gets further');
  }
  assert.ok(calls <= 5 && requests < 2.5 * count * 1.2, `${calls} calls, ${requests} requests`);
  assert.deepEqual([(await bucket.names('new')).length, (await bucket.names('done')).length], [0, count]);
});

test('two sequencers are given every item, and the first answer is the one that stays', async (t) => {
  const bucket = makeBucket(t);
  const [one, two] = [bucket.open(), bucket.open()];
  const submitter = bucket.submitter();
  const [name = ''] = await submitter.submit([text('a')]);
  const [ofOne, ofTwo] = [await one.receive(MIB), await two.receive(MIB)];
  assert.deepEqual(entriesOf(ofOne), [['a']]);
  assert.deepEqual(entriesOf(ofTwo), [['a']]);
  await one.answer(answersFor(ofOne, 4));
  await two.answer(answersFor(ofTwo, 9));
  const wait = { timeoutMs: 0, clock: new ManualClock(), signal: forever };
  assert.deepEqual((await submitter.waitForReceipt(name, wait)).outcomes, [{ index: 4, duplicate: false }]);

  // One that the other has answered between the list and the fetch is passed over.
  await submitter.submit([text('b')]);
  await two.wait(AbortSignal.abort());
  bucket.before = async (operation) => {
    if (operation !== 'get') return;
    bucket.before = () => {};
    await one.answer(answersFor(await take(one)));
  };
  assert.deepEqual(await two.receive(MIB), []);
  assert.deepEqual(await bucket.names('new'), []);
});

test('an answer that belongs to a delivery before a redelivery drops nothing that was delivered since', async (t) => {
  const bucket = makeBucket(t);
  const queue = bucket.open();
  await bucket.submitter().submit([text('a')]);
  const before = await queue.receive(MIB);
  await queue.redeliver();
  await queue.answer(answersFor(before));
  assert.equal((await bucket.names('new')).length, 1);
  const again = await queue.receive(MIB);
  assert.equal(again[0]?.id, before[0]?.id);
  await queue.answer(answersFor(again));
  assert.deepEqual(await bucket.names('new'), []);
});

test('receipts are swept when they are an hour old by the clock of the bucket, and not before', async (t) => {
  const bucket = makeBucket(t);
  const submitter = bucket.submitter();
  const answerOne = async (entry: string): Promise<string> => {
    // Its own clock is wrong by ten years, which makes no difference.
    const queue = bucket.open({ clock: new ManualClock(Date.now() + 87_600 * HOUR_MS) });
    const [name = ''] = await submitter.submit([text(entry)]);
    await queue.answer(answersFor(await queue.receive(MIB)));
    await queue.close();
    return name;
  };
  const first = await answerOne('a');
  bucket.modifiedPlus = (key) => (key.endsWith(first) ? -HOUR_MS + 60_000 : 0);
  const second = await answerOne('b');
  assert.deepEqual(await bucket.names('done'), [first, second].sort());
  bucket.modifiedPlus = (key) => (key.endsWith(first) ? -HOUR_MS - 60_000 : 0);
  const third = await answerOne('c');
  assert.deepEqual(await bucket.names('done'), [second, third].sort());
});

test('a running sequencer sweeps every ten minutes, and only when it has answered something', async (t) => {
  const bucket = makeBucket(t);
  const clock = new ManualClock();
  const queue = bucket.open({ clock });
  const submitter = bucket.submitter();
  const sweeps = async (): Promise<number> => {
    bucket.requests.length = 0;
    await submitter.submit([text(String(clock.now()))]);
    await queue.answer(answersFor(await take(queue)));
    await new Promise((resolve) => setImmediate(resolve));
    return bucket.requests.filter((request) => request === 'list queue/done/').length;
  };
  assert.deepEqual([await sweeps(), await sweeps()], [1, 0]);
  clock.advance(600_000);
  bucket.requests.length = 0;
  assert.deepEqual(await take(queue), []);
  assert.deepEqual(new Set(bucket.requests), new Set(['list queue/new/']));
  assert.equal(await sweeps(), 1);
});

test('trouble that may pass is unreachable, and what the bucket refuses is not: both name the queue', async (t) => {
  const bucket = makeBucket(t);
  const queue = bucket.open();
  bucket.before = () => {
    throw new SteleError('unreachable', 'planted');
  };
  await assert.rejects(
    queue.receive(MIB),
    (error) => isSteleError(error, 'unreachable') && /queue\/ in mem:.*planted/.test(error.message),
  );
  bucket.before = () => {
    throw new SteleError('config', 'denied');
  };
  await assert.rejects(queue.receive(MIB), (error) => isSteleError(error, 'config'));
  bucket.before = () => {};
  await bucket.submitter().submit([text('a')]);
  const [item] = await queue.receive(MIB);
  assert.equal(
    item?.id,
    submissionId((await bucket.inside.get(`queue/new/${(await bucket.names('new'))[0]}`))?.bytes ?? new Uint8Array()),
  );
});
