import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { relative } from 'node:path';
import { type TestContext, test } from 'node:test';
import { submitToSpool } from '../../src/queue/index.ts';
import { answersFor, MIB, text } from './queue-fixture.ts';
import { spoolFor, spoolPath } from './spool-fixture.ts';

/**
 * From now on lists what happens to the files below `dir`, in order: `flush tmp/…`, `rename tmp/… new/…`, `remove new/…`.
 * Names are replaced by an asterisk.
 */
function record(t: TestContext, dir: string): string[] {
  const events: string[] = [];
  const short = (path: unknown): string => relative(dir, String(path)).replace(/\/.*/, '/*');
  const { open, rename, rm } = fs.promises;
  t.mock.method(fs.promises, 'open', async (...args: Parameters<typeof open>) => {
    const file = await open(...args);
    t.mock.method(file, 'sync', () => {
      events.push(`flush ${short(args[0])}`);
      return file.datasync();
    });
    return file;
  });
  t.mock.method(fs.promises, 'rename', (from: string, to: string) => {
    events.push(`rename ${short(from)} ${short(to)}`);
    return rename(from, to);
  });
  t.mock.method(fs.promises, 'rm', (...args: Parameters<typeof rm>) => {
    events.push(`remove ${short(args[0])}`);
    return rm(...args);
  });
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  return events;
}

test('an item is flushed before it has its name, and its name before it is acknowledged (POWER-6)', async (t) => {
  const dir = await spoolPath(t);
  await submitToSpool(dir, [text('first')]);
  const events = record(t, dir);
  await submitToSpool(dir, [text('a')]);
  assert.deepEqual(events, ['flush tmp/*', 'rename tmp/* new/*', 'flush new']);
});

test('the folders of a new spool are flushed before anything in them is acknowledged (POWER-3)', async (t) => {
  const dir = await spoolPath(t);
  const events = record(t, dir);
  await submitToSpool(dir, [text('a')]);
  assert.deepEqual(events, ['flush ', 'flush ..', 'flush tmp/*', 'rename tmp/* new/*', 'flush new']);
});

test('items leave only after all receipts are durable, with one flush of each folder a call (POWER-6)', async (t) => {
  const dir = await spoolPath(t);
  const count = 5;
  for (let i = 0; i < count; i++) await submitToSpool(dir, [text(String(i))]);
  const queue = await spoolFor(t, dir);
  const items = await queue.receive(MIB);
  const events = record(t, dir);
  await queue.answer(answersFor(items));

  const repeated = (event: string): string[] => new Array(count).fill(event);
  const receipts = events.slice(0, 2 * count);
  assert.deepEqual(receipts.toSorted(), [...repeated('flush tmp/*'), ...repeated('rename tmp/* done/*')]);
  assert.equal(receipts[0], 'flush tmp/*');
  assert.deepEqual(events.slice(2 * count), ['flush done', ...repeated('remove new/*'), 'flush new']);
});

test('a file is set aside only after the reason and the receipt are durable (POWER-6)', async (t) => {
  const dir = await spoolPath(t);
  const queue = await spoolFor(t, dir);
  fs.writeFileSync(`${dir}/new/0001764000000000-00000000000000ff-0000000001-${'0'.repeat(64)}`, 'bad');
  const events = record(t, dir);
  assert.deepEqual(await queue.receive(MIB), []);
  assert.deepEqual(events, [
    'flush tmp/*',
    'remove tmp/*',
    'flush bad',
    'flush done',
    'rename new/* bad/*',
    'flush bad',
    'flush new',
  ]);
});
