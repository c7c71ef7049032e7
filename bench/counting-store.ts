import type { NewObject, ObjectStore } from '../src/store/index.ts';

/** What was handed to a store to write. */
export interface Written {
  objects: number;
  bytes: number;
}

/** The same store, adding up in `written` what is handed to it; objects that turn out to be there already count too. */
export function countingStore(store: ObjectStore, written: Written): ObjectStore {
  const count = (bytes: NewObject['bytes']): void => {
    written.objects += 1;
    written.bytes += bytes instanceof Uint8Array ? bytes.length : bytes.reduce((sum, part) => sum + part.length, 0);
  };
  return {
    url: store.url,
    get: (key, options) => store.get(key, options),
    create(key, bytes, meta) {
      count(bytes);
      return store.create(key, bytes, meta);
    },
    stage(key, bytes, meta) {
      count(bytes);
      return store.stage(key, bytes, meta);
    },
    createAll(objects) {
      const all = [...objects];
      for (const { bytes } of all) {
        count(bytes);
      }
      return store.createAll(all);
    },
    replace(key, bytes, meta, ifMatch) {
      count(bytes);
      return store.replace(key, bytes, meta, ifMatch);
    },
    delete: (key) => store.delete(key),
    list: (prefix) => store.list(prefix),
    close: () => store.close(),
  };
}
