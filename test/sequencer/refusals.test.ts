/** What a writer refuses to start on (CORRUPT-1 … CORRUPT-9): nothing is written, and the message names the object. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { isSteleError } from '../../src/errors.ts';
import { encodeRecord, parseRecord, recordKey } from '../../src/sequencer/record.ts';
import { encodeRun, hashedRun } from '../../src/tiles/index.ts';
import { entriesFrom, indices, keysOf, META, mustGet, newLog, openWriter, type TestLog, utf8 } from './harness.ts';

interface Refusal {
  readonly name: string;
  readonly harm: (log: TestLog) => Promise<void>;
  readonly message: RegExp;
}

async function overwrite(
  log: TestLog,
  store: keyof TestLog,
  key: string,
  change: (bytes: Uint8Array) => Uint8Array,
): Promise<void> {
  const { bytes } = await mustGet(log, store, key);
  await log[store].delete(key);
  await log[store].create(key, change(bytes.slice()), META);
}

const flip =
  (at: number) =>
  (bytes: Uint8Array): Uint8Array => {
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes;
  };
const cut = (bytes: Uint8Array): Uint8Array => bytes.slice(0, -1);
const LAST = recordKey(300);

const REFUSALS: readonly Refusal[] = [
  {
    name: 'the checkpoint is gone (CORRUPT-4)',
    harm: (log) => log.publicStore.delete('checkpoint'),
    message: /no checkpoint/,
  },
  {
    name: 'the checkpoint’s text was changed (CORRUPT-1)',
    harm: (log) => overwrite(log, 'publicStore', 'checkpoint', flip(25)),
    message: /checkpoint/,
  },
  {
    name: 'the checkpoint’s signature was changed (CORRUPT-1)',
    harm: (log) => overwrite(log, 'publicStore', 'checkpoint', flip(-6)),
    message: /checkpoint/,
  },
  {
    name: 'the checkpoint was cut (CORRUPT-1)',
    harm: (log) => overwrite(log, 'publicStore', 'checkpoint', cut),
    message: /checkpoint/,
  },
  {
    name: 'the private log.json is gone (CORRUPT-3)',
    harm: (log) => log.privateStore.delete('log.json'),
    message: /log\.json/,
  },
  {
    name: 'the last journal record is gone (CORRUPT-5)',
    harm: (log) => log.privateStore.delete(LAST),
    message: /journal/,
  },
  {
    name: 'the last journal record was changed (CORRUPT-5)',
    harm: (log) => overwrite(log, 'privateStore', LAST, flip(150)),
    message: /journal/,
  },
  {
    name: 'the last journal record was cut (CORRUPT-5)',
    harm: (log) => overwrite(log, 'privateStore', LAST, cut),
    message: /journal/,
  },
  {
    name: 'a right-edge tile of level 0 is missing (CORRUPT-7)',
    harm: (log) => log.publicStore.delete('tile/0/001.p/54'),
    message: /tile\/0\/001\.p\/54/,
  },
  {
    name: 'a right-edge tile of level 0 was changed (CORRUPT-7)',
    harm: (log) => overwrite(log, 'publicStore', 'tile/0/001.p/54', flip(40)),
    message: /tile\/0\/001\.p\/54/,
  },
  {
    name: 'a right-edge tile of level 1 was changed (CORRUPT-7)',
    harm: (log) => overwrite(log, 'publicStore', 'tile/1/000.p/1', flip(0)),
    message: /tile\/1\/000\.p\/1/,
  },
  {
    name: 'a right-edge tile was cut (CORRUPT-7)',
    harm: (log) => overwrite(log, 'publicStore', 'tile/1/000.p/1', cut),
    message: /tile\/1\/000\.p\/1/,
  },
  {
    name: 'the edge bundle is missing (CORRUPT-8)',
    harm: (log) => log.publicStore.delete('tile/entries/001.p/54'),
    message: /tile\/entries\/001\.p\/54/,
  },
  {
    name: 'an entry of the edge bundle was changed (CORRUPT-8)',
    harm: (log) => overwrite(log, 'publicStore', 'tile/entries/001.p/54', flip(10)),
    message: /tile\/entries\/001\.p\/54/,
  },
  {
    name: 'the edge bundle was cut (CORRUPT-8)',
    harm: (log) => overwrite(log, 'publicStore', 'tile/entries/001.p/54', cut),
    message: /tile\/entries\/001\.p\/54/,
  },
  {
    name: 'a record at the head extends another tree (CORRUPT-2)',
    harm: async (log) => {
      const last = parseRecord(LAST, (await mustGet(log, 'privateStore', LAST)).bytes);
      const bytes = encodeRecord({ ...last, baseSize: 310, newSize: 311 }, [hashedRun(encodeRun([Uint8Array.of(65)]))]);
      await log.privateStore.create(recordKey(310), bytes, META);
    },
    message: /extends another tree/,
  },
  {
    name: 'a record lies beyond what can be reached: the public store went back in time (CORRUPT-9)',
    harm: async (log) => {
      const last = parseRecord(LAST, (await mustGet(log, 'privateStore', LAST)).bytes);
      const bytes = encodeRecord({ ...last, baseSize: 400, newSize: 401 }, [hashedRun(encodeRun([Uint8Array.of(65)]))]);
      await log.privateStore.create(recordKey(400), bytes, META);
    },
    message: /went back in time/,
  },
];

async function damagedLog(): Promise<TestLog> {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 300));
  await writer.add(entriesFrom(300, 10));
  return log;
}

async function everything(log: TestLog): Promise<string[]> {
  const all: string[] = [];
  for (const store of [log.publicStore, log.privateStore]) {
    for (const key of await keysOf(store)) all.push(`${key} ${(await store.get(key))?.etag}`);
  }
  return all;
}

for (const { name, harm, message } of REFUSALS) {
  test(`a writer refuses to start when ${name}, naming it, and writes nothing`, async () => {
    const log = await damagedLog();
    await harm(log);
    const before = await everything(log);
    await assert.rejects(openWriter(log), (error) => {
      assert.ok(isSteleError(error, 'refused', 'corrupt'), String(error));
      assert.match(error.message, message);
      assert.match(error.message, /stele recover/);
      return true;
    });
    assert.deepEqual(await everything(log), before);
  });
}

test('an older copy of the public store put back is refused (CORRUPT-9)', async () => {
  const log = await newLog();
  const writer = await openWriter(log);
  await writer.add(entriesFrom(0, 5));
  const old = await mustGet(log, 'publicStore', 'checkpoint');
  await writer.add(entriesFrom(5, 5));
  await writer.add(entriesFrom(10, 5));
  await overwrite(log, 'publicStore', 'checkpoint', () => old.bytes);
  await assert.rejects(
    openWriter(log),
    (error) => isSteleError(error, 'refused') && /back in time/.test(error.message),
  );
});

test('a private store of another log is refused, and both logs are named', async () => {
  const [log, other] = [await newLog(), await newLog()];
  await assert.rejects(
    openWriter({ publicStore: log.publicStore, privateStore: other.privateStore }),
    (error) => isSteleError(error, 'refused') && /different logs/.test(error.message),
  );
});

test('a damaged record below the last one is ignored (CORRUPT-6)', async () => {
  const log = await damagedLog();
  await log.privateStore.create(recordKey(200), utf8('rubbish'), META);
  const writer = await openWriter(log);
  assert.deepEqual(indices(await writer.add([utf8('on')])), [310]);
  assert.deepEqual(await keysOf(log.privateStore, 'journal/'), [recordKey(310)], 'and collected');
});
