/** `recover` killed at any write, and run again, ends in a log that goes on as one history (CRASH). */

import assert from 'node:assert/strict';
import test from 'node:test';
import { recordKey } from '../../src/sequencer/record.ts';
import {
  assertGoesOn,
  commitOnly,
  copyOf,
  dyingAfter,
  grow,
  grownLog,
  harm,
  type KnownLog,
  lookAt,
  mirrorOf,
  type Options,
  restore,
  snapshot,
} from './recover-fixture.ts';

interface Case {
  readonly name: string;
  readonly make: () => Promise<{ log: KnownLog; options?: Options }>;
}

const LAST = recordKey(300);

const CASES: readonly Case[] = [
  {
    name: 'a lost private store',
    make: async () => {
      const log = await grownLog(300, 10);
      await restore(log.privateStore, new Map());
      return { log };
    },
  },
  {
    name: 'a lost private store, and tiles that were about to be published',
    make: async () => {
      const log = await grownLog(300, 10);
      await commitOnly(log, 300, 'tiles');
      await restore(log.privateStore, new Map());
      await log.publicStore.delete('tile/0/001');
      await log.publicStore.delete('tile/1/000.p/2');
      return { log };
    },
  },
  {
    name: 'a lost private store, and a few more entries in the last bundle',
    make: async () => {
      const log = await grownLog(300, 10);
      await commitOnly(log, 5, 'tiles');
      await restore(log.privateStore, new Map());
      return { log };
    },
  },
  {
    name: 'an older public store, with the journal reaching back to it',
    make: async () => {
      const log = await grownLog(300);
      const old = await snapshot(log.publicStore);
      await grow(log, 300);
      await restore(log.publicStore, old);
      return { log };
    },
  },
  {
    name: 'an older public store, with a mirror',
    make: async () => {
      const log = await grownLog(300);
      const old = await snapshot(log.publicStore);
      await grow(log, 10);
      await grow(log, 300);
      const from = await mirrorOf(log);
      await restore(log.publicStore, old);
      return { log, options: { from } };
    },
  },
  {
    name: 'a lost checkpoint beside an older journal',
    make: async () => {
      const log = await grownLog(300);
      const old = await snapshot(log.privateStore);
      await grow(log, 10);
      await restore(log.privateStore, old);
      await log.publicStore.delete('checkpoint');
      return { log };
    },
  },
  {
    name: 'a damaged checkpoint, damaged tiles and log.json',
    make: async () => {
      const log = await grownLog(300, 10);
      await harm(log.publicStore, 'checkpoint', 'torn');
      await harm(log.publicStore, 'tile/0/000', 'flipped');
      await harm(log.publicStore, 'tile/1/000.p/1', 'missing');
      await harm(log.publicStore, 'log.json', 'torn');
      return { log };
    },
  },
  {
    name: 'a torn boundary record before a commit',
    make: async () => {
      const log = await grownLog(300, 10);
      await commitOnly(log, 5, 'nothing');
      await harm(log.privateStore, LAST, 'torn');
      return { log };
    },
  },
  {
    name: 'a damaged edge bundle, from a mirror',
    make: async () => {
      const log = await grownLog(300, 10);
      const from = await mirrorOf(log);
      await harm(log.publicStore, 'tile/entries/001.p/54', 'flipped');
      await harm(log.publicStore, 'tile/entries/000', 'torn');
      await harm(log.publicStore, 'tile/0/001.p/54', 'flipped');
      return { log, options: { from } };
    },
  },
  {
    name: 'an accepted loss',
    make: async () => {
      const log = await grownLog(300, 10);
      await commitOnly(log, 5, 'nothing');
      await harm(log.privateStore, recordKey(310), 'torn');
      await harm(log.privateStore, LAST, 'torn');
      log.entries.length = 310;
      return { log, options: { acceptLoss: true } };
    },
  },
];

for (const { name, make } of CASES) {
  test(`mending ${name} converges when it is killed at any write`, async () => {
    const { log, options = {} } = await make();
    const counted = dyingAfter(await copyOf(log), Number.POSITIVE_INFINITY, 'lost');
    await (await lookAt(counted, options)).apply();
    assert.ok(counted.writes > 0);
    for (let k = 0; k < counted.writes; k++) {
      for (const lastAnswer of ['lost', 'kept'] as const) {
        const copy = await copyOf(log);
        const killed = await lookAt(dyingAfter(copy, k, lastAnswer), options);
        await assert.rejects(killed.apply(), /planted/, `killed at write ${k}`);
        await (await lookAt(copy, options)).apply();
        assert.equal((await lookAt(copy, options)).finding, 'healthy', `killed at write ${k}, ${lastAnswer}`);
        await assertGoesOn(copy);
      }
    }
  });
}
