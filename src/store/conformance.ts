import { basicPromises } from './conformance-basics.ts';
import { batchPromises } from './conformance-batches.ts';
import { racePromises } from './conformance-races.ts';
import type { NewObject, ObjectStore } from './types.ts';

/** One thing that a log relies on its store for, and how to find out. */
export interface StorePromise {
  /** Short and stable: `create-race`. */
  readonly name: string;
  /** A sentence that could be false. */
  readonly promise: string;
  /** Throws if it is broken. The store is empty; `openAnother` gives a second handle on it, to read from. */
  run(store: ObjectStore, openAnother: () => Promise<ObjectStore>): Promise<void>;
}

/** Everything any ObjectStore must keep (DESIGN §4). */
export const conformance: readonly StorePromise[] = [...basicPromises, ...batchPromises, ...racePromises];

export interface KeptOrBroken {
  readonly name: string;
  readonly promise: string;
  /** undefined: kept. */
  readonly broken: unknown;
  readonly milliseconds: number;
}

export interface ConformanceReport {
  readonly kept: number;
  readonly broken: number;
}

/**
 * Runs the suite against the store that `open` opens, below a fresh prefix which is removed afterwards; reports each
 * promise as it is known. Throws only if the store cannot be opened or cleaned up.
 */
export async function runConformance(
  open: () => Promise<ObjectStore>,
  report: (result: KeptOrBroken) => void,
): Promise<ConformanceReport> {
  const store = await open();
  const prefix = `conformance-${crypto.randomUUID()}/`;
  let broken = 0;
  try {
    for (const { name, promise, run } of conformance) {
      const others: ObjectStore[] = [];
      const openAnother = async () => {
        const other = await open();
        others.push(other);
        return below(other, `${prefix}${name}/`);
      };
      const start = performance.now();
      let failure: unknown;
      try {
        await run(below(store, `${prefix}${name}/`), openAnother);
      } catch (error) {
        failure = error ?? new Error('it threw nothing at all');
        broken++;
      }
      await Promise.all(others.map((other) => other.close()));
      report({ name, promise, broken: failure, milliseconds: performance.now() - start });
    }
    for await (const { key } of store.list(prefix)) {
      await store.delete(key);
    }
  } finally {
    await store.close();
  }
  return { kept: conformance.length - broken, broken };
}

/** The part of a store whose keys start with `prefix`, which ends with a slash, as a store of its own. */
function below(store: ObjectStore, prefix: string): ObjectStore {
  const inside = (object: NewObject): NewObject => ({ ...object, key: prefix + object.key });
  return {
    url: `${store.url} ${prefix}`,
    get: (key, options) => store.get(prefix + key, options),
    create: (key, bytes, meta) => store.create(prefix + key, bytes, meta),
    stage: (key, bytes, meta) => store.stage(prefix + key, bytes, meta),
    createAll: (objects) =>
      store.createAll(
        (function* () {
          for (const object of objects) {
            yield inside(object);
          }
        })(),
      ),
    replace: (key, bytes, meta, ifMatch) => store.replace(prefix + key, bytes, meta, ifMatch),
    delete: (key) => store.delete(prefix + key),
    async *list(wanted) {
      for await (const listed of store.list(prefix + wanted)) {
        yield { ...listed, key: listed.key.slice(prefix.length) };
      }
    },
    close: () => store.close(),
  };
}
