/**
 * The way between a process and a store: every request may be lost, done and reported as unknown, hang, or land late,
 * after the client gave up, crashed, or what it was about was collected (DESIGN §4).
 */

import { SteleError } from '../../src/errors.ts';
import type { ObjectStore, StoredObject } from '../../src/store/index.ts';
import { type Disk, etagOf } from './disk.ts';
import type { Life, World } from './world.ts';

export interface Weather {
  /** Chance of each request to fail. */
  faults: number;
  /** About how long one way takes, in ms. */
  latencyMs: number;
  /** Chance of one way to take very much longer. */
  tail: number;
  /** How long a client waits for an answer, in ms. */
  timeoutMs: number;
  /** A request of unknown outcome lands within so many ms. */
  latestMs: number;
}

/** What becomes of a request that fails, and what its client is told. */
type Fate = 'refused' | 'lost' | 'kept' | 'late' | 'hangs, lost' | 'hangs, kept' | 'hangs, late';
const FATES = ['refused', 'lost', 'kept', 'late', 'late', 'hangs, lost', 'hangs, kept', 'hangs, late'] as const;

export class Network {
  readonly #world: World;
  readonly #weather: Weather;

  constructor(world: World, weather: Weather) {
    this.#world = world;
    this.#weather = weather;
  }

  oneWay(): number {
    const { dice } = this.#world;
    const { latencyMs, tail } = this.#weather;
    const usual = latencyMs * (0.2 + dice.real() + (dice.chance(0.1) ? 8 * dice.real() : 0));
    return dice.chance(tail) ? usual * (1 + 400 * dice.real()) : usual;
  }

  /** A read: `act` at some instant, its result later; or `unreachable`. */
  read<T>(life: Life, what: string, act: () => T): Promise<T> {
    const { dice } = this.#world;
    const { faults, timeoutMs } = this.#weather;
    if (dice.chance(faults)) return this.#fail(life, what, 'unreachable', dice.chance(0.3) ? timeoutMs : 0);
    return this.#roundTrip(life, what, act, false);
  }

  /** A write of one or of many objects, each landing on its own; the answer follows the last. */
  async write<T>(life: Life, what: string, acts: readonly (() => T)[]): Promise<T[]> {
    const { dice } = this.#world;
    const { faults, timeoutMs, latestMs } = this.#weather;
    const [first, ...others] = FATES;
    if (!dice.chance(faults)) return Promise.all(acts.map((act) => this.#roundTrip(life, what, act, true)));
    const fate: Fate = dice.oneOf(first, ...others);
    for (const act of acts) {
      // Of many objects, some may be there whatever became of the others.
      const mine: Fate = acts.length > 1 && dice.chance(0.5) ? dice.oneOf('lost', 'kept', 'late') : fate;
      if (mine.endsWith('kept')) this.#land(what, act, this.oneWay());
      else if (mine.endsWith('late') && dice.chance(0.8)) this.#land(what, act, latestMs * dice.real() ** 3);
    }
    const code = fate === 'refused' ? 'unreachable' : 'outcome-unknown';
    return this.#fail(life, what, code, fate.startsWith('hangs') ? timeoutMs : 0);
  }

  #roundTrip<T>(life: Life, what: string, act: () => T, isWrite: boolean): Promise<T> {
    return new Promise((resolve, reject) => {
      const arrive = (): void => {
        // The process died: what it had sent may or may not have left its machine.
        if (life.dead && (!isWrite || this.#world.dice.chance(0.3))) return;
        let answer: () => void;
        try {
          const result = act();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error);
        }
        this.#world.plan(this.oneWay(), `${life.name} has the answer to ${what}`, answer, life);
      };
      this.#world.plan(this.oneWay(), `${what} by ${life.name} arrives`, arrive, undefined, isWrite);
    });
  }

  #land(what: string, act: () => unknown, inMs: number): void {
    const land = (): void => {
      try {
        act();
      } catch {
        // Nobody is there to be told.
      }
    };
    this.#world.plan(inMs, `${what} lands, its client knows nothing of it`, land, undefined, true);
  }

  #fail(life: Life, what: string, code: 'unreachable' | 'outcome-unknown', waitMs: number): Promise<never> {
    return new Promise((_, reject) => {
      const tell = (): void => reject(new SteleError(code, `${what} failed (planted)`));
      this.#world.plan(this.oneWay() + waitMs, `${life.name} is told ${code} of ${what}`, tell, life);
    });
  }
}

/** The store on `disk` as one process sees it. */
export function storeOver(network: Network, disk: Disk, life: Life, pageSize: number): ObjectStore {
  const create = async (key: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<boolean> => {
    const copy = joined(bytes);
    const [created] = await network.write(life, `create ${key}`, [() => disk.create(key, copy)]);
    return created === true;
  };
  return {
    url: `sim:${disk.name}`,
    get: (key) =>
      network.read(life, `get ${key}`, () => {
        const bytes = disk.get(key);
        return bytes && objectOf(bytes);
      }),
    create,
    async stage(key, bytes) {
      const copy = joined(bytes);
      await network.read(life, `stage ${key}`, () => {});
      return { create: () => create(key, copy), discard: async () => {} };
    },
    async createAll(objects) {
      const acts = [...objects].map(({ key, bytes }) => {
        const copy = joined(bytes);
        return () => disk.createEqual(key, copy);
      });
      if (acts.length > 0) await network.write(life, `create ${acts.length} objects`, acts);
    },
    async replace(key, bytes, _meta, ifMatch) {
      const copy = joined(bytes);
      const [etag = ''] = await network.write(life, `replace ${key}`, [() => disk.replace(key, copy, ifMatch)]);
      return etag;
    },
    async delete(key) {
      await network.write(life, `delete ${key}`, [() => disk.delete(key)]);
    },
    async *list(prefix) {
      for (let after = ''; ; ) {
        const keys = await network.read(life, `list ${prefix} after ${after}`, () =>
          disk.page(prefix, after, pageSize),
        );
        for (const key of keys) yield { key, size: 0, modified: 0 };
        if (keys.length < pageSize) return;
        after = keys.at(-1) ?? after;
      }
    },
    async close() {},
  };
}

/** No copy: whoever changes what a store gave out changes the store, and the oracle sees it. */
function objectOf(bytes: Uint8Array): StoredObject {
  return {
    bytes,
    get etag() {
      return etagOf(bytes);
    },
  };
}

function joined(bytes: Uint8Array | readonly Uint8Array[]): Uint8Array {
  return bytes instanceof Uint8Array ? Buffer.from(bytes) : Buffer.concat(bytes);
}
