import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BucketListing } from '../../src/queue/bucket-listing.ts';
import type { QueueStore } from '../../src/queue/index.ts';
import { itemNamer, parseItemName } from '../../src/queue/item-names.ts';

const ID = '0'.repeat(64);

/** A bucket that is listed a page at a time: `onPage` happens between two pages. */
function pagedBucket(pageSize: number, onPage: () => void) {
  const names = new Set<string>();
  let lists = 0;
  const refuse = (): Promise<never> => assert.fail('a listing only lists');
  const store: QueueStore = {
    url: 'test:',
    get: refuse,
    create: refuse,
    delete: refuse,
    async *list(prefix) {
      lists += 1;
      for (let after = ''; ; ) {
        const page = [...names]
          .filter((name) => name > after)
          .sort()
          .slice(0, pageSize);
        for (const name of page) yield { key: `${prefix}${name}`, size: 1, modified: 0 };
        if (page.length < pageSize) return;
        after = page.at(-1) ?? '';
        onPage();
      }
    },
    close: async () => {},
  };
  return { place: { store, prefix: 'queue/' }, names, lists: () => lists };
}

const namesOf = (items: readonly { readonly name: string }[]): string[] => items.map(({ name }) => name);

test('a backlog beyond what is held in memory is taken in order, a part at a time', async () => {
  const bucket = pagedBucket(100, () => {});
  const nameOf = itemNamer(() => 1_764_000_000_000, '00000000000000aa');
  const names = Array.from({ length: 500 }, () => nameOf(ID));
  for (const name of names) bucket.names.add(name);
  const listing = new BucketListing(bucket.place);
  const taken = new Set<string>();
  for (let part = await listing.list(taken, 64); part.length > 0; part = await listing.list(taken, 64)) {
    assert.deepEqual(namesOf(part), names.slice(taken.size, taken.size + 64));
    for (const { name } of part) taken.add(name);
  }
  assert.equal(taken.size, names.length);
  assert.equal(bucket.lists(), 9, 'nothing was missing, so nothing was listed twice');
});

test('a submitter whose items go on where they ended costs one listing, one of whom something is missing two', async () => {
  const bucket = pagedBucket(1_000, () => {});
  const nameOf = itemNamer(() => 1_764_000_000_000, '00000000000000aa');
  const listing = new BucketListing(bucket.place);
  const [first = '', second = '', , fourth = ''] = Array.from({ length: 4 }, () => nameOf(ID));
  bucket.names.add(first);
  await listing.list(new Set(), 10);
  bucket.names.add(second);
  await listing.list(new Set([first]), 10);
  assert.equal(bucket.lists(), 2);
  bucket.names.add(fourth);
  assert.deepEqual(
    namesOf(await listing.list(new Set([first, second]), 10)),
    [fourth],
    'the third was answered by another',
  );
  assert.equal(bucket.lists(), 4);
  bucket.names.add('stranger');
  assert.deepEqual(namesOf(await listing.list(new Set([first, second]), 10)), [fourth, 'stranger']);
  assert.equal(bucket.lists(), 5);
});

test('items are given out without a gap, in order for each submitter, whatever is put while pages are listed', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 0, max: 50 })), { maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 1, max: 4 }),
      async (puts, pageSize, limit, remembered) => {
        // Each submitter has a clock of its own, which may run far ahead of the others or behind them.
        const clocks = [0, 0, 0, 0];
        const namers = clocks.map((_, who) => itemNamer(() => clocks[who] ?? 0, `00000000000000a${who}`));
        const waiting = [...puts];
        const putNext = (): void => {
          const [who, time] = waiting.shift() ?? [];
          const nameOf = who === undefined ? undefined : namers[who];
          if (who === undefined || time === undefined || nameOf === undefined) return;
          clocks[who] = time;
          bucket.names.add(nameOf(ID));
        };
        const bucket = pagedBucket(pageSize, putNext);
        const listing = new BucketListing(bucket.place, remembered);
        const counters = [0, 0, 0, 0];
        while (waiting.length > 0 || bucket.names.size > 0) {
          putNext();
          for (const { name } of await listing.list(new Set(), limit)) {
            const item = parseItemName(name);
            assert.ok(item);
            const who = Number(item.submitter.at(-1));
            assert.equal(item.counter, (counters[who] ?? 0) + 1);
            counters[who] = item.counter;
            bucket.names.delete(name);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
