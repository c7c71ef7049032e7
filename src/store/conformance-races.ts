import { isSteleError } from '../errors.ts';
import type { StorePromise } from './conformance.ts';
import { bytesOf, check, checkHolds, META, read } from './conformance-checks.ts';
import type { ObjectStore } from './types.ts';

/** Servers that ignore the condition, or check it before they queue the write, let several through. */
const RACERS = 32;
const ROUNDS = 5;

/** What a fork of the log would come from. */
export const racePromises: readonly StorePromise[] = [
  {
    name: 'create-race',
    promise: 'of 32 concurrent creates exactly one wins, and its bytes are what everybody reads',
    async run(store) {
      for (let round = 0; round < ROUNDS; round++) {
        const key = `round/${round}/key`;
        await raceFor(store, key, (text) => store.create(key, bytesOf(text), META));
      }
    },
  },
  {
    name: 'staged-race',
    promise: 'of 32 concurrent creates of staged objects exactly one wins',
    async run(store) {
      for (let round = 0; round < ROUNDS; round++) {
        const key = `round/${round}/key`;
        const staged = await Promise.all(
          Array.from({ length: RACERS }, (_, i) => store.stage(key, bytesOf(`racer ${i}`), META)),
        );
        await raceFor(store, key, async (_, i) => (await staged[i]?.create()) ?? false);
      }
    },
  },
  {
    name: 'swap-race',
    promise: 'of 32 concurrent replaces of one version exactly one wins, the others are told that they lost',
    async run(store) {
      let etag = await store.replace('key', bytesOf('start'), META, null);
      for (let round = 0; round < ROUNDS; round++) {
        const from = etag;
        await raceFor(store, 'key', (text) =>
          won(async () => {
            etag = await store.replace('key', bytesOf(`${round} ${text}`), META, from);
          }),
        );
        check((await store.get('key'))?.etag === etag, "the winner's version is not the one that is read");
      }
    },
  },
  {
    name: 'first-swap-race',
    promise: 'of 32 concurrent replaces of no version exactly one wins',
    async run(store) {
      for (let round = 0; round < ROUNDS; round++) {
        const key = `round/${round}/key`;
        await raceFor(store, key, (text) =>
          won(async () => {
            await store.replace(key, bytesOf(text), META, null);
          }),
        );
      }
    },
  },
  {
    name: 'create-after-delete',
    promise: 'a create after a delete wins, and of many exactly one',
    async run(store) {
      check(await store.create('key', bytesOf('before'), META), 'the first create was refused');
      for (let round = 0; round < ROUNDS; round++) {
        await store.delete('key');
        check((await store.get('key')) === undefined, 'it can be read after it was deleted');
        await raceFor(store, 'key', (text) => store.create('key', bytesOf(text), META));
      }
      await store.delete('key');
      check(await store.create('key', bytesOf('after'), META), 'a create after a delete was refused');
      await checkHolds(store, 'key', 'after');
    },
  },
  {
    name: 'folder-race',
    promise: 'objects are created while the last others with their prefix are deleted',
    async run(store) {
      for (let round = 0; round < 20; round++) {
        await store.create('deep/folder/old', bytesOf('old'), META);
        const [, created] = await Promise.all([
          store.delete('deep/folder/old'),
          store.create('deep/folder/new', bytesOf('new'), META),
        ]);
        check(created, 'the create was refused');
        await checkHolds(store, 'deep/folder/new', 'new');
        await store.delete('deep/folder/new');
      }
    },
  },
];

/** Lets all racers write at once, then checks that one of them won and that it is what is stored. */
async function raceFor(
  store: ObjectStore,
  key: string,
  write: (text: string, racer: number) => Promise<boolean>,
): Promise<void> {
  const results = await Promise.all(Array.from({ length: RACERS }, (_, i) => write(`racer ${i}`, i)));
  const winners = results.flatMap((wonRace, i) => (wonRace ? [i] : []));
  check(winners.length === 1, `${winners.length} of ${RACERS} won: ${winners.join(', ')}`);
  const stored = await read(store, key);
  check(stored?.endsWith(`racer ${winners[0]}`) === true, `racer ${winners[0]} won, but ${stored} is stored`);
}

async function won(operation: () => Promise<void>): Promise<boolean> {
  try {
    await operation();
    return true;
  } catch (error) {
    if (isSteleError(error, 'precondition-failed')) {
      return false;
    }
    throw error;
  }
}
