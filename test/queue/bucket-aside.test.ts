import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { isSteleError, SteleError } from '../../src/errors.ts';
import { encodeSubmission, MAX_ITEM_BYTES, submissionId } from '../../src/queue/index.ts';
import { itemNamer } from '../../src/queue/item-names.ts';
import { makeBucket, type TestBucket } from './bucket-fixture.ts';
import { answersFor, entriesOf, MIB, receiveAll, text, textOf } from './queue-fixture.ts';

const nameOf = itemNamer(systemClock.now, '00000000000000ff');
const now = { timeoutMs: 0, clock: systemClock, signal: new AbortController().signal };
const good = encodeSubmission([text('good')]);

async function put(bucket: TestBucket, name: string, bytes: Uint8Array): Promise<string> {
  await bucket.inside.create(`queue/new/${name}`, bytes, { contentType: '', cacheControl: '' });
  return name;
}

async function content(bucket: TestBucket, key: string): Promise<string> {
  return textOf((await bucket.inside.get(`queue/${key}`))?.bytes ?? assert.fail(`there is no ${key}`));
}

test('objects that are no items are set aside with the reason and a receipt, and hold nobody up', async (t) => {
  const bucket = makeBucket(t);
  const torn = await put(bucket, nameOf(submissionId(good.subarray(0, 20))), good.subarray(0, 20));
  const renamed = await put(bucket, nameOf('a'.repeat(64)), good);
  const empty = await put(bucket, nameOf('b'.repeat(64)), new Uint8Array(0));
  await put(bucket, 'stranger.txt', good);
  await put(bucket, 'folder/of/strangers', good);
  const submitter = bucket.submitter();
  await submitter.submit([text('after')]);

  const queue = bucket.open();
  const items = await receiveAll(queue);
  assert.deepEqual(entriesOf(items), [['after']]);
  assert.equal((await bucket.names('new')).length, 1);
  const bad = await bucket.names('bad');
  assert.equal(bad.length, 2 * 5);
  assert.match(await content(bucket, `bad/${torn}.why`), /do not start as a submission/);
  assert.match(await content(bucket, `bad/${renamed}.why`), /its name is not its SHA-256/);
  assert.match(await content(bucket, `bad/${empty}.why`), /do not start as a submission/);
  for (const [end, name] of [
    ['-stranger.txt', 'stranger.txt'],
    ['-folder_of_strangers', 'folder/of/strangers'],
  ] as const) {
    const as = bad.find((each) => each.endsWith(end));
    assert.match(await content(bucket, `bad/${as}.why`), /its name is not that of an item/);
    assert.ok((await content(bucket, `bad/${as}.why`)).endsWith(`\nfile: ${JSON.stringify(name)}\n`));
  }
  assert.equal(await content(bucket, `bad/${renamed}`), textOf(good));
  const receipt = await submitter.waitForReceipt(renamed, now);
  assert.match(JSON.stringify(receipt), /"outcomes":\[{"refused":"the queue set it aside: its name is not its SHA-256/);
  await queue.answer(answersFor(items));
  assert.deepEqual(await bucket.names('new'), []);
});

test('what is too long by its listing is never fetched, is explained, and is passed over from then on', async (t) => {
  const bucket = makeBucket(t);
  const large = await put(bucket, nameOf('c'.repeat(64)), new Uint8Array(MAX_ITEM_BYTES + 1));
  const submitter = bucket.submitter();
  await submitter.submit([text('after')]);
  const queue = bucket.open();
  assert.deepEqual(entriesOf(await receiveAll(queue)), [['after']]);
  assert.match(await content(bucket, `bad/${large}.why`), /it has 16777217 bytes, above the 16777216.*stays in new\//);
  const [outcome] = (await submitter.waitForReceipt(large, now)).outcomes;
  assert.match(JSON.stringify(outcome), /refused.*16777217 bytes/);
  assert.equal(bucket.requests.filter((request) => request === `get queue/new/${large}`).length, 0);
  bucket.requests.length = 0;
  assert.deepEqual(await receiveAll(queue), []);
  assert.deepEqual(new Set(bucket.requests), new Set(['list queue/new/']));
});

test('an object that grows behind its listing is not read beyond it', async (t) => {
  const bucket = makeBucket(t);
  const name = await put(bucket, nameOf(submissionId(good)), good);
  const queue = bucket.open();
  bucket.before = async (operation) => {
    if (operation !== 'get') return;
    bucket.before = () => {};
    await bucket.inside.delete(`queue/new/${name}`);
    await put(bucket, name, new Uint8Array(2 * MIB));
  };
  assert.deepEqual(await queue.receive(MIB), []);
  assert.deepEqual(await bucket.names('bad'), []);
  assert.deepEqual(await receiveAll(queue), []);
  assert.deepEqual(await bucket.names('bad'), [name, `${name}.why`]);
});

test('a bad object does not replace the receipt of the item whose name it bears', async (t) => {
  const bucket = makeBucket(t);
  const submitter = bucket.submitter();
  const [name = ''] = await submitter.submit([text('a')]);
  const queue = bucket.open();
  await queue.answer(answersFor(await queue.receive(MIB)));
  await put(bucket, name, text('forged'));
  assert.deepEqual(await receiveAll(queue), []);
  assert.equal((await submitter.waitForReceipt(name, now)).treeSize, 1);
});

test('setting aside goes on where it was interrupted, by the same sequencer or by another at the same time', async (t) => {
  for (const failing of ['create', 'delete'] as const) {
    const bucket = makeBucket(t);
    const name = await put(bucket, nameOf('d'.repeat(64)), text('bad'));
    const [one, two] = [bucket.open(), bucket.open()];
    bucket.after = (operation) => {
      if (operation === failing) throw new SteleError('outcome-unknown', 'planted');
    };
    await assert.rejects(one.receive(MIB), (error) => isSteleError(error, 'unreachable'));
    bucket.after = () => {};
    assert.deepEqual([await receiveAll(one), await receiveAll(two)], [[], []]);
    assert.deepEqual(await bucket.names('new'), []);
    assert.deepEqual(await bucket.names('bad'), [name, `${name}.why`]);
    assert.deepEqual(await bucket.names('done'), [name]);
  }
});
