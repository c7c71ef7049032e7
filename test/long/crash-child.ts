/**
 * Opens a log and appends, and kills itself with SIGKILL before or after the storage operation of a number; writes
 * `<index> <entry>` for each acknowledgement, and `done` where it was not killed.
 * Arguments: public URL, private URL, key, run, number, `before` or `after`.
 */

import { writeSync } from 'node:fs';
import { openLog, openStore } from 'stele';
import type { ObjectStore } from '../../src/store/index.ts';

const [publicUrl = '', privateUrl = '', key = '', run = '', number = '', when = ''] = process.argv.slice(2);
let operations = 0;

async function killing<T>(operation: () => Promise<T>): Promise<T> {
  const mine = operations++ === Number(number);
  if (mine && when === 'before') process.kill(process.pid, 'SIGKILL');
  const result = await operation();
  if (mine) process.kill(process.pid, 'SIGKILL');
  return result;
}

function killingStore(store: ObjectStore): ObjectStore {
  return {
    url: store.url,
    get: (name, options) => killing(() => store.get(name, options)),
    create: (...args) => killing(() => store.create(...args)),
    stage: async (...args) => {
      const staged = await killing(() => store.stage(...args));
      return { create: () => killing(() => staged.create()), discard: () => staged.discard() };
    },
    createAll: (objects) => killing(() => store.createAll(objects)),
    replace: (...args) => killing(() => store.replace(...args)),
    delete: (name) => killing(() => store.delete(name)),
    async *list(prefix) {
      await killing(async () => {});
      yield* store.list(prefix);
    },
    close: () => store.close(),
  };
}

const publicStore = await openStore(publicUrl);
const privateStore = await openStore(privateUrl);
const log = await openLog({
  publicStore: killingStore(publicStore),
  privateStore: killingStore(privateStore),
  key,
  settings: { publishIntervalMs: 0 },
});
let next = 0;
for (const count of [3, 1, 7]) {
  const texts = Array.from({ length: count }, () => `run ${run} entry ${next++}`);
  const accepted = await log.appendAll(texts.map((text) => new TextEncoder().encode(text)));
  for (const [i, { index }] of accepted.entries()) writeSync(1, `${index} ${texts[i]}\n`);
}
await log.close();
await publicStore.close();
await privateStore.close();
writeSync(1, 'done\n');
