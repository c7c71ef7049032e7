import type { StorePromise } from './conformance.ts';
import {
  bytesOf,
  check,
  checkEqual,
  checkHolds,
  keysOf,
  listed,
  META,
  objectOf,
  rejection,
} from './conformance-checks.ts';

/** More than the 1,000 keys that a bucket lists, or deletes, in one answer. */
const MANY = 1_100;

/** Many objects, and objects in two steps. */
export const batchPromises: readonly StorePromise[] = [
  {
    name: 'create-all',
    promise: 'createAll creates every object, each as it was given, and is content with those already there',
    async run(store) {
      const objects = Array.from({ length: 300 }, (_, i) => objectOf(`tile/${i % 7}/${i}.p/${i % 3}`));
      await store.createAll(objects.slice(0, 100));
      await store.createAll(objects);
      await store.createAll([]);
      for (const { key } of objects) {
        await checkHolds(store, key, `content of ${key}`);
      }
      check((await keysOf(store, '')).length === objects.length, 'the list has another number of objects');
    },
  },
  {
    name: 'create-all-conflict',
    promise: 'createAll refuses an object that is there with other bytes, names it, and leaves it as it was',
    async run(store) {
      await store.create('a/same', bytesOf('content of a/same'), META);
      await store.create('a/other', bytesOf('another content!'), META);
      const objects = ['a/same', 'a/other', 'a/new'].map((key) => objectOf(key));
      const error = await rejection(() => store.createAll(objects), 'conflict', 'an object with other bytes');
      check(error.message.includes('a/other'), `the message does not name the key: ${error.message}`);
      await checkHolds(store, 'a/same', 'content of a/same');
      await checkHolds(store, 'a/other', 'another content!');
    },
  },
  {
    name: 'create-all-longer',
    promise: 'an object that is the beginning of what createAll brings, or goes on behind it, is a conflict',
    async run(store) {
      await store.create('short', bytesOf('0123'), META);
      await rejection(() => store.createAll([objectOf('short', '01234')]), 'conflict', 'a longer object');
      await rejection(() => store.createAll([objectOf('short', '012')]), 'conflict', 'a shorter object');
      await rejection(() => store.createAll([objectOf('short', '')]), 'conflict', 'an empty object');
      await checkHolds(store, 'short', '0123');
    },
  },
  {
    name: 'create-all-interrupted',
    promise: 'createAll passes on the error of whoever makes the objects, and can be called again',
    async run(store) {
      const objects = Array.from({ length: 50 }, (_, i) => objectOf(`${i}`));
      const interrupted = function* () {
        yield* objects.slice(0, 40);
        throw new Error('interrupted on purpose');
      };
      let message = '';
      await store.createAll(interrupted()).catch((error) => {
        message = String(error);
      });
      check(message.includes('interrupted on purpose'), `it rejected with ${message}`);
      await store.createAll(objects);
      check((await keysOf(store, '')).length === objects.length, 'the list has another number of objects');
    },
  },
  {
    name: 'stage',
    promise: 'a staged object is seen by nobody until it is created, and never if it is discarded',
    async run(store) {
      const created = await store.stage('a/created', [bytesOf('two '), bytesOf('pieces')], META);
      const discarded = await store.stage('a/discarded', bytesOf('x'), META);
      check((await store.get('a/created')) === undefined, 'it can be read');
      checkEqual(await keysOf(store, ''), [], 'listed');
      check(await created.create(), 'create says that it is there already');
      await discarded.discard();
      await checkHolds(store, 'a/created', 'two pieces');
      await created.discard();
      await rejection(() => discarded.create(), 'aborted', 'creating what was discarded');
      checkEqual(await keysOf(store, ''), ['a/created'], 'listed');
    },
  },
  {
    name: 'stage-late',
    promise: 'a staged object that comes too late leaves the one that is there',
    async run(store) {
      const staged = await store.stage('key', bytesOf('late'), META);
      await store.create('key', bytesOf('first'), META);
      check(!(await staged.create()), 'create says that it won');
      await checkHolds(store, 'key', 'first');
    },
  },
  {
    name: 'list-order',
    promise: "lists are in the order of the keys' UTF-8 bytes, without gaps, whatever folders they look like",
    async run(store) {
      // By UTF-16 the last two would change places, and by folders `a/…` would come before `a.b`.
      const keys = ['0', 'A', 'a', 'a!', 'a.b', 'a/b', 'a/c/d', 'a0', 'aa', 'b/a', '\u00e9', '\uff5e', '\u{1f5ff}'];
      // `a` is an object and a folder in one; directories cannot do that, and the layout of a log never asks for it.
      const possible = keys.filter((key) => key !== 'a');
      await store.createAll(possible.toReversed().map((key) => objectOf(key)));
      checkEqual(await keysOf(store, ''), possible, 'listed');
    },
  },
  {
    name: 'list-prefix',
    promise: 'a prefix is compared with the key as text, and may end anywhere in it',
    async run(store) {
      await store.createAll(['j/0001', 'j/0002', 'j/0010', 'j/x/y', 'j2', 'k'].map((key) => objectOf(key)));
      checkEqual(await keysOf(store, 'j/'), ['j/0001', 'j/0002', 'j/0010', 'j/x/y'], 'j/');
      checkEqual(await keysOf(store, 'j'), ['j/0001', 'j/0002', 'j/0010', 'j/x/y', 'j2'], 'j');
      checkEqual(await keysOf(store, 'j/000'), ['j/0001', 'j/0002'], 'j/000');
      checkEqual(await keysOf(store, 'j/x'), ['j/x/y'], 'j/x');
      checkEqual(await keysOf(store, 'k'), ['k'], 'k');
      checkEqual(await keysOf(store, 'k/'), [], 'k/');
      checkEqual(await keysOf(store, 'no/such/folder/'), [], 'no/such/folder/');
    },
  },
  {
    name: 'list-many',
    promise: 'a list of more than 1,000 objects is complete, in order, and tells each size',
    async run(store) {
      const keys = Array.from({ length: MANY }, (_, i) => `many/${String(i).padStart(16, '0')}`);
      await store.createAll(keys.map((key, i) => objectOf(key, 'x'.repeat(i % 10))));
      const found = await listed(store, 'many/');
      checkEqual(
        found.map(({ key }) => key),
        keys,
        'listed',
      );
      check(
        found.every(({ size }, i) => size === i % 10),
        'a size is wrong',
      );
      check(
        found.every(({ modified }) => Number.isInteger(modified) && modified > Date.parse('2020-01-01')),
        'a time is no time',
      );
    },
  },
  {
    name: 'list-changing',
    promise: 'a list goes on while what it lists is deleted, and keeps what is not',
    async run(store) {
      const keys = Array.from({ length: 200 }, (_, i) => `f${Math.floor(i / 20)}/${String(i).padStart(4, '0')}`);
      await store.createAll(keys.map((key) => objectOf(key)));
      const seen: string[] = [];
      for await (const { key } of store.list('')) {
        seen.push(key);
        if (seen.length === 1) {
          await Promise.all(keys.slice(100).map((doomed, i) => (i % 2 === 0 ? store.delete(doomed) : undefined)));
        }
      }
      const survivors = keys.filter((_, i) => i < 100 || i % 2 === 1);
      checkEqual(
        seen.filter((key) => survivors.includes(key)),
        survivors,
        'of those that stay',
      );
    },
  },
];
