import type { StorePromise } from './conformance.ts';
import { bytesOf, check, checkEqual, checkHolds, keysOf, listed, META, read, rejection } from './conformance-checks.ts';
import { equalsPieces } from './object.ts';

const LARGE_BYTES = 20_000_000;

/** Keys that a careless store mangles, in the order of their UTF-8 bytes. */
const ODD_KEYS = [
  ' space ',
  '!$&\'()*,;=:@"<>`{|}^',
  '%2e%2e/%2F',
  '+plus+',
  '...',
  '.well-known/x',
  '0.p/1',
  '?query=1&x#fragment',
  'A',
  'a',
  `aa/${'b'.repeat(200)}`,
  'tile/0/x001/x234/067',
  '~tilde',
  '\u00e9 composed',
  'e\u0301 decomposed',
  '\u65e5\u672c\u8a9e',
  '\uff5e full width',
  '\u{1f5ff} beyond 16 bits',
];

const BAD_KEYS = [
  'a/',
  'a//b',
  '.',
  '..',
  'a/../b',
  './a',
  'a\\b',
  'a\0b',
  'a\nb',
  '\ud800',
  '.tmp/a',
  'a/.tmp',
  '.lock/a',
];

/** One object at a time. */
export const basicPromises: readonly StorePromise[] = [
  {
    name: 'absent',
    promise: 'an object that does not exist is undefined, and neither an error nor empty',
    async run(store) {
      check((await store.get('absent')) === undefined, 'there is something at a key never written');
      check((await store.get('deep/er/absent')) === undefined, 'there is something below a prefix never written');
    },
  },
  {
    name: 'create',
    promise: 'a created object reads back byte for byte, whether it came in one piece or several',
    async run(store) {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      check(await store.create('one', all, META), 'the first create was refused');
      check(await store.create('three', [all.subarray(0, 100), new Uint8Array(), all.subarray(100)], META), 'refused');
      for (const key of ['one', 'three']) {
        const object = await store.get(key);
        check(object !== undefined && equalsPieces(object.bytes, [all]), `${key} reads back differently`);
      }
    },
  },
  {
    name: 'create-once',
    promise: 'a second create says false and changes nothing, even with the same bytes',
    async run(store) {
      await store.create('key', bytesOf('first'), META);
      check(!(await store.create('key', bytesOf('second'), META)), 'a second create replaced the object');
      check(!(await store.create('key', bytesOf('first'), META)), 'a second create with the same bytes says true');
      await checkHolds(store, 'key', 'first');
    },
  },
  {
    name: 'empty',
    promise: 'an object may be empty',
    async run(store) {
      check(await store.create('none', new Uint8Array(), META), 'refused');
      check(await store.create('no pieces', [], META), 'refused');
      await checkHolds(store, 'none', '');
      await checkHolds(store, 'no pieces', '');
      check((await listed(store, 'none'))[0]?.size === 0, 'its listed size is not 0');
    },
  },
  {
    name: 'large',
    promise: 'an object may have 20 MB',
    async run(store) {
      const bytes = new Uint8Array(LARGE_BYTES);
      for (let i = 0; i < LARGE_BYTES; i += 1_000) {
        bytes.fill(i / 1_000, i, i + 1_000);
      }
      await store.create('large', bytes, META);
      const object = await store.get('large', { maxBytes: LARGE_BYTES });
      check(object !== undefined && equalsPieces(object.bytes, [bytes]), 'it reads back differently');
      check((await listed(store, 'large'))[0]?.size === LARGE_BYTES, 'its listed size is wrong');
    },
  },
  {
    name: 'odd-keys',
    promise: 'keys are told apart and listed exactly, whatever their characters',
    async run(store) {
      for (const key of ODD_KEYS) {
        check(await store.create(key, bytesOf(key), META), `${JSON.stringify(key)} was taken for another key`);
      }
      for (const key of ODD_KEYS) {
        await checkHolds(store, key, key);
      }
      const keys = await keysOf(store, '');
      check(
        keys.length === ODD_KEYS.length && ODD_KEYS.every((key) => keys.includes(key)),
        `listed ${keys.join(', ')}`,
      );
    },
  },
  {
    name: 'bad-keys',
    promise: 'a key that could leave the store, or that some store cannot hold, is refused by every operation',
    async run(store) {
      for (const key of BAD_KEYS) {
        const name = JSON.stringify(key);
        const bytes = bytesOf('x');
        await rejection(() => store.get(key), 'malformed', `get ${name}`);
        await rejection(() => store.create(key, bytes, META), 'malformed', `create ${name}`);
        await rejection(() => store.stage(key, bytes, META), 'malformed', `stage ${name}`);
        await rejection(() => store.createAll([{ key, bytes, meta: META }]), 'malformed', `createAll ${name}`);
        await rejection(() => store.replace(key, bytes, META, null), 'malformed', `replace ${name}`);
        await rejection(() => store.delete(key), 'malformed', `delete ${name}`);
      }
      checkEqual(await keysOf(store, ''), [], 'listed');
    },
  },
  {
    name: 'buffers',
    promise: "what is stored does not change with the caller's buffers",
    async run(store) {
      const written = bytesOf('as written');
      await store.create('created', written, META);
      await store.createAll([{ key: 'batch', bytes: [written], meta: META }]);
      await store.replace('replaced', written, META, null);
      written.fill(0);
      const object = await store.get('created');
      object?.bytes.fill(0);
      for (const key of ['created', 'batch', 'replaced']) {
        await checkHolds(store, key, 'as written');
      }
    },
  },
  {
    name: 'replace',
    promise: 'an object is replaced only at the version that was read, and then everybody reads the new one at once',
    async run(store, openAnother) {
      const another = await openAnother();
      let etag = await store.replace('key', bytesOf('version 0'), META, null);
      for (let version = 1; version <= 20; version++) {
        const object = await store.get('key');
        check(object?.etag === etag, `the version read is ${object?.etag}, the version written was ${etag}`);
        const next = await store.replace('key', bytesOf(`version ${version}`), META, etag);
        check(next !== etag, 'other bytes have the same version');
        await checkHolds(store, 'key', `version ${version}`);
        await checkHolds(another, 'key', `version ${version}`);
        const old = etag;
        await rejection(
          () => store.replace('key', bytesOf('late'), META, old),
          'precondition-failed',
          'a late replace',
        );
        etag = next;
      }
      await checkHolds(store, 'key', 'version 20');
    },
  },
  {
    name: 'replace-absent',
    promise: 'replacing an object that is not there is a lost race, as is creating by replace one that is',
    async run(store) {
      const etag = await store.replace('there', bytesOf('there'), META, null);
      await rejection(() => store.replace('absent', bytesOf('x'), META, etag), 'precondition-failed', 'replace absent');
      await rejection(
        () => store.replace('no/where', bytesOf('x'), META, etag),
        'precondition-failed',
        'replace absent',
      );
      await rejection(() => store.replace('there', bytesOf('x'), META, null), 'precondition-failed', 'replace null');
      await rejection(
        () => store.replace('there', bytesOf('x'), META, 'no-such-version'),
        'precondition-failed',
        'replace',
      );
      await checkHolds(store, 'there', 'there');
      check((await read(store, 'absent')) === undefined, 'an absent object was created by a conditional replace');
    },
  },
  {
    name: 'delete',
    promise: 'a deleted object is gone from get and list; deleting one that is not there is fine',
    async run(store) {
      await store.create('folder/gone', bytesOf('x'), META);
      await store.create('folder/stays', bytesOf('stays'), META);
      await store.delete('folder/gone');
      await store.delete('folder/gone');
      await store.delete('no/such/object');
      check((await store.get('folder/gone')) === undefined, 'it can still be read');
      checkEqual(await keysOf(store, ''), ['folder/stays'], 'listed');
      await checkHolds(store, 'folder/stays', 'stays');
    },
  },
  {
    name: 'limits',
    promise: 'a body longer than the caller expects is refused, one of exactly that length is not',
    async run(store) {
      await store.create('ten', bytesOf('0123456789'), META);
      await rejection(() => store.get('ten', { maxBytes: 9 }), 'limit', 'a get of 10 bytes with maxBytes 9');
      check((await store.get('ten', { maxBytes: 10 }))?.bytes.length === 10, 'maxBytes 10 refused 10 bytes');
      check((await store.get('absent', { maxBytes: 0 })) === undefined, 'absent objects have no length');
    },
  },
  {
    name: 'abort',
    promise: 'a get whose caller has given up is aborted',
    async run(store) {
      await store.create('key', bytesOf('x'), META);
      await rejection(() => store.get('key', { signal: AbortSignal.abort() }), 'aborted', 'an aborted get');
      await checkHolds(store, 'key', 'x');
    },
  },
];
