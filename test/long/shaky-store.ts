/** Seeded chance, turns of the event loop as time, and a store whose every operation may fail or land late. */

import { createHash } from 'node:crypto';
import { SteleError } from '../../src/errors.ts';
import type { ObjectStore } from '../../src/store/index.ts';

/** A late write lands within so many turns. */
export const LATEST = 200;

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
export async function pass(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}
export const never = new Promise<never>(() => {});

export interface Dice {
  next(): number;
  below(n: number): number;
  chance(p: number): boolean;
  oneOf<T>(first: T, ...others: T[]): T;
}

export function dice(seed: number): Dice {
  let block = Buffer.alloc(0);
  let used = 0;
  const next = (): number => {
    if (used % 8 === 0) block = createHash('sha256').update(`${seed} ${used}`).digest();
    used += 1;
    return block.readUInt32LE(((used - 1) % 8) * 4) / 2 ** 32;
  };
  const below = (n: number): number => Math.floor(next() * n);
  return { next, below, chance: (p) => next() < p, oneOf: (a, ...b) => [a, ...b][below(1 + b.length)] ?? a };
}

/** A writer's process: dead, none of its operations is answered any more. */
export interface Life {
  dead: boolean;
}

export interface Weather {
  readonly dice: Dice;
  /** Chance of each operation to fail; of each write, besides, to give no answer. */
  readonly faults: number;
  /** About how many turns an operation takes. */
  readonly slowness: number;
}

/** `store` as the process `life` sees it: its operations are lost, land late or never, and stop with it. */
export function shaky(store: ObjectStore, life: Life, { dice: d, faults, slowness }: Weather): ObjectStore {
  const pause = async (): Promise<void> => {
    if (d.chance(0.3)) for (let i = d.below(3 * slowness + 1); i > 0; i--) await undefined;
    else await pass(d.below((d.chance(0.05) ? 20 * slowness : slowness) + 1));
  };
  const run = async <T>(what: string, kind: 'read' | 'write', act: () => Promise<T>): Promise<T> => {
    if (life.dead) return never;
    await pause();
    if (life.dead && d.chance(0.7)) return never;
    if (d.chance(faults)) throw new SteleError('unreachable', `${what} was lost (planted)`);
    if (kind === 'write' && d.chance(faults)) {
      if (d.chance(0.5)) await act();
      else void pass(d.below(LATEST)).then(() => act().catch(() => {}));
      throw new SteleError('outcome-unknown', `the answer to ${what} was lost (planted)`);
    }
    const result = await act();
    await pause();
    return life.dead ? never : result;
  };
  const create: ObjectStore['create'] = (...args) => run(`create ${args[0]}`, 'write', () => store.create(...args));
  return {
    url: store.url,
    get: (key, options) => run(`get ${key}`, 'read', () => store.get(key, options)),
    create,
    stage: (...args) => run('stage', 'read', async () => ({ create: () => create(...args), discard: async () => {} })),
    createAll: (objects) => {
      const all = [...objects];
      return run('createAll', 'write', () => store.createAll(all));
    },
    replace: (...args) => run(`replace ${args[0]}`, 'write', () => store.replace(...args)),
    delete: (key) => run(`delete ${key}`, 'write', () => store.delete(key)),
    async *list(prefix) {
      await run(`list ${prefix}`, 'read', async () => {});
      yield* store.list(prefix);
    },
    close: async () => {},
  };
}
