import { pathToFileURL } from 'node:url';
import PQueue from 'p-queue';
import { SteleError } from '../errors.ts';
import { errnoOf, outcomeUnknown, unreachable } from './directory-errors.ts';
import { DirectoryFiles } from './directory-files.ts';
import { type DirectoryFs, nodeFs, threadPoolSize, withBlockingReads } from './directory-fs.ts';
import { listObjects } from './directory-list.ts';
import { readObject } from './directory-read.ts';
import { type Folder, makeDurable } from './folder.ts';
import { Folders } from './folders.ts';
import { parseKey } from './keys.ts';
import { contentETag, equalsPieces, piecesOf, storedObject, totalLength } from './object.ts';
import type { StoreObserver, UnflushedFile } from './temporaries.ts';
import type {
  ETag,
  GetOptions,
  ListedObject,
  NewObject,
  ObjectMeta,
  ObjectStore,
  ReadableStore,
  StagedObject,
  StoredObject,
} from './types.ts';

export interface DirectoryOptions {
  readonly fs?: DirectoryFs;
  readonly observer?: StoreObserver;
  /** Files that `createAll` flushes at a time; see `FLUSHES_PER_THREAD`. */
  readonly flushesInFlight?: number;
}

/**
 * How many flushes `createAll` has under way for each thread of the pool. Those that wait in the pool's line keep its
 * threads busy while this one computes; but other writers, such as a commit, wait behind them.
 */
const FLUSHES_PER_THREAD = 4;

/** What `createAll` writes before it flushes: so many objects, or so many bytes of them. */
const GROUP_OBJECTS = 256;
const GROUP_BYTES = 64 * 2 ** 20;

/**
 * An ObjectStore on the folder `root` (an absolute path, not a symbolic link). One process at a time may write: the
 * caller holds the lock (`lockDirectory`). Throws `config` when we may not write there.
 *
 * Every object is written under a temporary name, flushed, and then given its own name, so a reader, or a power cut,
 * finds all of it or nothing. What a `get` of this store has answered is durable, too: it may have been written by a
 * process that died between giving the name and flushing it.
 */
export async function openDirectory(root: string, options: DirectoryOptions = {}): Promise<ObjectStore> {
  const store = new Directory(root, options);
  try {
    await store.prepare();
  } catch (error) {
    throw errnoOf(error) === undefined
      ? error
      : new SteleError('config', `cannot write to the directory ${root}: ${String(error)}`, { cause: error });
  }
  return store;
}

/** The directory as readers see it: nothing is written or flushed. */
export function openReadableDirectory(root: string, fs: DirectoryFs = nodeFs): ReadableStore {
  const folders = new Folders({ fs, onFlush: () => undefined, rewrite: async () => undefined }, root);
  return {
    url: pathToFileURL(root).href,
    async get(key, options) {
      const parts = parseKey(key);
      const path = `${root}/${key}`;
      const folder = await folders.use(parts.slice(0, -1), false).catch((error) => {
        throw unreachable('read', path, error);
      });
      if (folder === undefined) {
        return undefined;
      }
      try {
        const bytes = await readObject(fs, path, options);
        return bytes && storedObject(bytes);
      } finally {
        folders.release(folder);
      }
    },
  };
}

/** An object whose bytes are written under a temporary name. */
interface Written {
  readonly parts: readonly string[];
  readonly path: string;
  readonly pieces: readonly Uint8Array[];
  readonly file: UnflushedFile;
}

class Directory implements ObjectStore {
  readonly url: string;
  readonly #root: string;
  readonly #fs: DirectoryFs;
  /** To read what is in `#replaced`. */
  readonly #blockingFs: DirectoryFs;
  readonly #files: DirectoryFiles;
  readonly #flushes: PQueue;
  /**
   * Keys that this store has replaced: few, and they are read again and again, as the checkpoint is at every commit. Their
   * bytes are in the kernel's memory, and the threads of the pool may be at work for a publication.
   */
  readonly #replaced = new Set<string>();
  /** The last of the operations on one key that must not overlap. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(root: string, options: DirectoryOptions) {
    this.url = pathToFileURL(root).href;
    this.#root = root;
    this.#fs = options.fs ?? nodeFs;
    this.#blockingFs = withBlockingReads(this.#fs);
    this.#files = new DirectoryFiles(this.#fs, root, options.observer ?? {});
    this.#flushes = new PQueue({ concurrency: options.flushesInFlight ?? FLUSHES_PER_THREAD * threadPoolSize() });
  }

  prepare(): Promise<void> {
    return this.#files.prepare();
  }

  async get(key: string, options?: GetOptions): Promise<StoredObject | undefined> {
    const place = await this.#files.place(parseKey(key), false);
    if (place === undefined) {
      return undefined;
    }
    const { folder, name, path } = place;
    try {
      const bytes = await this.#read(key, path, options);
      if (bytes === undefined) {
        return undefined;
      }
      await folder.vouch(name);
      return storedObject(bytes);
    } catch (error) {
      throw unreachable('read', path, error);
    } finally {
      this.#files.release(folder);
    }
  }

  async create(key: string, bytes: NewObject['bytes']): Promise<boolean> {
    const staged = await this.stage(key, bytes);
    try {
      return await staged.create();
    } finally {
      await staged.discard();
    }
  }

  async stage(key: string, bytes: NewObject['bytes']): Promise<StagedObject> {
    const parts = parseKey(key);
    const path = `${this.#root}/${key}`;
    let temporary: string | undefined = await this.#files.write(path, piecesOf(bytes));
    const discard = async () => {
      const dropped = temporary;
      temporary = undefined;
      if (dropped !== undefined) {
        await this.#files.drop(dropped);
      }
    };
    const create = async () => {
      if (temporary === undefined) {
        throw new SteleError('aborted', `what was staged for ${path} has been created or discarded already`);
      }
      // If this fails for certain, nothing happened and the caller may try again. Otherwise the file has served.
      const { place, created } = await this.#files.link(temporary, parts).catch(async (error) => {
        if (error instanceof SteleError && error.code === 'outcome-unknown') {
          await discard();
        }
        throw error;
      });
      try {
        // Whoever finds that a name is taken acts upon that, so it must be durable as well.
        const durable = created ? makeDurable([place.folder]) : place.folder.vouch(place.name);
        const [flush] = await Promise.allSettled([durable, discard()]);
        if (flush.status === 'rejected') {
          throw created ? outcomeUnknown('create', path, flush.reason) : unreachable('flush', path, flush.reason);
        }
        return created;
      } finally {
        this.#files.release(place.folder);
      }
    };
    return { create, discard };
  }

  /**
   * Objects are made in groups: all files of a group are written, then flushed side by side, because one flush of the
   * disk serves all that wait for it, then given their names. The folders are flushed at the end, once each. Nothing may
   * refer to the objects before all of that is done, so their order does not matter.
   */
  async createAll(objects: Iterable<NewObject>): Promise<void> {
    const touched = new Set<Folder>();
    try {
      for (const group of groupsOf(objects)) await this.#createGroup(group, touched);
      await makeDurable(touched).catch((error) => {
        throw outcomeUnknown('create objects in', this.#root, error);
      });
    } finally {
      for (const folder of touched) {
        this.#files.release(folder);
      }
    }
  }

  async replace(key: string, bytes: Uint8Array, _meta: ObjectMeta, ifMatch: ETag | null): Promise<ETag> {
    const parts = parseKey(key);
    const path = `${this.#root}/${key}`;
    if (ifMatch === null) {
      if (!(await this.create(key, bytes))) {
        throw lostSwap(path, 'no object', 'an object');
      }
      return contentETag(bytes);
    }
    return this.#serially(key, async () => {
      const place = await this.#files.place(parts, false);
      if (place === undefined) {
        throw lostSwap(path, ifMatch, 'no object');
      }
      try {
        const current = await this.#read(key, path);
        const found = current === undefined ? 'no object' : contentETag(current);
        if (found !== ifMatch) {
          throw lostSwap(path, ifMatch, found);
        }
        // The lock keeps other writers away, and the queue for this key our own, from here to the rename.
        await this.#files.rename(await this.#files.write(path, [bytes]), place);
        await makeDurable([place.folder]).catch((error) => {
          throw outcomeUnknown('replace', path, error);
        });
        this.#replaced.add(key);
        return contentETag(bytes);
      } finally {
        this.#files.release(place.folder);
      }
    });
  }

  async delete(key: string): Promise<void> {
    const parts = parseKey(key);
    await this.#serially(key, async () => {
      const place = await this.#files.place(parts, false);
      if (place === undefined) {
        return;
      }
      try {
        const left = await this.#files.unlink(place);
        await (left === undefined ? place.folder.vouch(place.name) : makeDurable([left])).catch((error) => {
          throw outcomeUnknown('delete', place.path, error);
        });
      } finally {
        this.#files.release(place.folder);
      }
    });
  }

  list(prefix: string): AsyncIterable<ListedObject> {
    return listObjects(this.#fs, this.#root, prefix);
  }

  async close(): Promise<void> {
    await this.#flushes.onIdle();
    await this.#files.close();
  }

  #read(key: string, path: string, options?: GetOptions): Promise<Uint8Array | undefined> {
    return readObject(this.#replaced.has(key) ? this.#blockingFs : this.#fs, path, options);
  }

  /** Some objects of `createAll`: their bytes are durable when this resolves, their names when `touched` is flushed. */
  async #createGroup(group: readonly NewObject[], touched: Set<Folder>): Promise<void> {
    const written: Written[] = [];
    const write = async ({ key, bytes }: NewObject): Promise<void> => {
      const parts = parseKey(key);
      const path = `${this.#root}/${key}`;
      const pieces = piecesOf(bytes);
      written.push({ parts, path, pieces, file: await this.#files.begin(path, pieces) });
    };
    try {
      await allSettled(group.map(write));
      await allSettled(written.map(({ file }) => this.#flushes.add(() => file.flush())));
      for (const one of written) await this.#giveName(one, touched);
    } finally {
      await Promise.all(written.map(({ file }) => file.drop()));
    }
  }

  /** Its name for a flushed file; an object that is there already must be equal. */
  async #giveName({ parts, path, pieces, file }: Written, touched: Set<Folder>): Promise<void> {
    const { place, created } = await this.#files.link(file.path, parts);
    if (touched.has(place.folder)) {
      this.#files.release(place.folder);
    }
    touched.add(place.folder);
    if (created) return;
    const existing = await readObject(this.#fs, path);
    if (existing === undefined || !equalsPieces(existing, pieces)) {
      throw conflict(path, existing, pieces);
    }
    // Nobody knows whether what is there was ever flushed, nor would another flush prove it. Ours was.
    await this.#files.rename(file.path, place);
  }

  /** Runs `task` after all earlier ones on this key: the lock on the directory keeps out others, not ourselves. */
  async #serially<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const run = before === undefined ? task() : before.then(task, task);
    this.#tails.set(key, run);
    try {
      return await run;
    } finally {
      if (this.#tails.get(key) === run) {
        this.#tails.delete(key);
      }
    }
  }
}

/** As `Promise.all`, but nothing is under way any more when it throws: whoever tries again must not race with it. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((settled) => settled.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Cut so that neither descriptors nor memory run out; the iterable makes its bytes as we ask for them. */
function* groupsOf(objects: Iterable<NewObject>): Generator<NewObject[]> {
  let group: NewObject[] = [];
  let bytes = 0;
  for (const object of objects) {
    group.push(object);
    bytes += totalLength(piecesOf(object.bytes));
    if (group.length < GROUP_OBJECTS && bytes < GROUP_BYTES) continue;
    yield group;
    group = [];
    bytes = 0;
  }
  if (group.length > 0) yield group;
}

function lostSwap(path: string, expected: string, found: string): SteleError {
  return new SteleError(
    'precondition-failed',
    `${path} was to be replaced at version ${expected}, but there is ${found}: somebody else changed it; read it again`,
  );
}

function conflict(path: string, existing: Uint8Array | undefined, pieces: readonly Uint8Array[]): SteleError {
  const found = existing === undefined ? 'vanished while it was compared' : `has ${existing.length} other bytes`;
  return new SteleError(
    'conflict',
    `${path} exists and ${found}, where these ${totalLength(pieces)} bytes belong; ` +
      'objects never change, so either another log was written here or the disk lost data: compare with a mirror',
  );
}
