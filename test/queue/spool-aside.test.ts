import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/clock.ts';
import { encodeSubmission, MAX_ITEM_BYTES, readReceipt, submissionId, submitToSpool } from '../../src/queue/index.ts';
import { itemNamer } from '../../src/queue/item-names.ts';
import { answersFor, entriesOf, MIB, receiveAll, text } from './queue-fixture.ts';
import { namesIn, spoolFor, spoolPath } from './spool-fixture.ts';

const nameOf = itemNamer(systemClock.now, '00000000000000ff');

test('files that are no items are set aside with the reason, unopened where they must be, and hold nobody up', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const good = encodeSubmission([text('good')]);
  const id = submissionId(good);
  const place = async (name: string, bytes: Uint8Array): Promise<string> => {
    await writeFile(join(dir, 'new', name), bytes);
    return name;
  };
  const idOf = (digit: string): string => digit.repeat(64);
  const torn = await place(nameOf(submissionId(good.subarray(0, 20))), good.subarray(0, 20));
  const renamed = await place(nameOf(idOf('a')), good);
  const empty = await place(nameOf(idOf('b')), new Uint8Array(0));
  const large = await place(nameOf(idOf('c')), new Uint8Array(0));
  await truncate(join(dir, 'new', large), MAX_ITEM_BYTES + 1);
  const secret = join(dirname(dir), 'secret');
  await writeFile(secret, good);
  const linked = nameOf(id);
  await symlink(secret, join(dir, 'new', linked));
  const folder = nameOf(idOf('d'));
  await mkdir(join(dir, 'new', folder));
  const pipe = nameOf(idOf('e'));
  execFileSync('mkfifo', [join(dir, 'new', pipe)]);
  await place('stranger.txt', good);
  await place('.hidden', good);
  await submitToSpool(dir, [text('after')]);

  const items = await receiveAll(queue);
  assert.deepEqual(entriesOf(items), [['after']]);
  assert.deepEqual((await namesIn(dir, 'new')).filter((name) => name !== '.hidden').length, 1);

  const bad = await namesIn(dir, 'bad');
  const why = async (name: string): Promise<string> => readFile(join(dir, 'bad', `${name}.why`), 'utf8');
  assert.match(await why(torn), /do not start as a submission/);
  assert.match(await why(renamed), /its name is not its SHA-256/);
  assert.match(await why(empty), /do not start as a submission/);
  assert.match(await why(large), /above the 16777216/);
  for (const name of [linked, folder, pipe]) assert.match(await why(name), /not a regular file/);
  const stranger = bad.find((name) => name.endsWith('-stranger.txt'));
  assert.match(await why(stranger ?? ''), /its name is not that of an item\nfile: "stranger.txt"/);
  assert.equal(bad.length, 2 * 8);
  assert.deepEqual(await readFile(secret), Buffer.from(good));

  const receipt = await readReceipt(dir, idOf('c'));
  assert.deepEqual(receipt?.treeSize, 0);
  assert.match(JSON.stringify(receipt?.outcomes), /^\[{"refused":"the queue set it aside: it has 16777217 bytes/);
});

test('a bad file does not replace the receipt of the item whose name it bears', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const [submitted] = await submitToSpool(dir, [text('a')]);
  await queue.answer(answersFor(await queue.receive(MIB)));
  await writeFile(join(dir, 'new', nameOf(submitted?.id ?? '')), 'forged');
  assert.deepEqual(await queue.receive(MIB), []);
  assert.equal((await readReceipt(dir, submitted?.id ?? ''))?.treeSize, 1);
});

test('a bad file that cannot be moved is passed over, with its reason in bad/', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  const name = nameOf('f'.repeat(64));
  await writeFile(join(dir, 'new', name), 'bad');
  await mkdir(join(dir, 'bad', name, 'in the way'), { recursive: true });
  await submitToSpool(dir, [text('good')]);
  assert.deepEqual(entriesOf(await receiveAll(queue)), [['good']]);
  assert.match(await readFile(join(dir, 'bad', `${name}.why`), 'utf8'), /submission/);
});

test('an item that vanishes between listing and reading is no error', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  await submitToSpool(dir, [text('a')]);
  await submitToSpool(dir, [text('b')]);
  assert.equal((await queue.receive(1)).length, 1);
  const [, second = ''] = await namesIn(dir, 'new');
  await rm(join(dir, 'new', second));
  assert.deepEqual(await queue.receive(MIB), []);
});
