import { changedNothing, errnoOf, noObject, outcomeUnknown, unreachable } from './directory-errors.ts';
import type { DirectoryFs } from './directory-fs.ts';
import { readObject } from './directory-read.ts';
import type { Folder } from './folder.ts';
import { Folders, MAX_FOLDER_RACES } from './folders.ts';
import { MOMENTARY_FOLDER } from './keys.ts';
import { type StoreObserver, Temporaries, type UnflushedFile } from './temporaries.ts';

/** A name in a folder that is in use, and has no doubtful names: `release` the folder when done. */
export interface Place {
  readonly folder: Folder;
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/**
 * The steps that writing to a directory store is made of. Each does one thing to one name and says whether that
 * happened: `unreachable` means that it did not, `outcome-unknown` that it may have.
 */
export class DirectoryFiles {
  readonly #fs: DirectoryFs;
  readonly #root: string;
  readonly #temporaries: Temporaries;
  readonly #folders: Folders;

  constructor(fs: DirectoryFs, root: string, observer: StoreObserver) {
    this.#fs = fs;
    this.#root = root;
    this.#temporaries = new Temporaries(fs, root, observer);
    this.#folders = new Folders(
      { fs, onFlush: () => observer.onFlush?.('folder'), rewrite: (folder, name) => this.#rewrite(folder, name) },
      root,
    );
  }

  /** Finds out whether there is a folder at the root, and whether we may write there. Throws the system's error. */
  async prepare(): Promise<void> {
    await this.#folders.use([], false);
    await this.#temporaries.prepare();
  }

  /** Where a key belongs; undefined when its folder is not there and was not to be made. */
  async place(parts: readonly string[], make: boolean): Promise<Place | undefined> {
    const path = [this.#root, ...parts].join('/');
    const folder = await this.#folders.use(parts.slice(0, -1), make).catch((error) => {
      throw unreachable('open the folder of', path, error);
    });
    if (folder === undefined) {
      return undefined;
    }
    try {
      await folder.heal();
    } catch (error) {
      this.release(folder);
      throw unreachable('make durable what is in', folder.path, error);
    }
    return { folder, name: parts.at(-1) ?? '', path };
  }

  release(folder: Folder): void {
    this.#folders.release(folder);
  }

  /** A flushed file with these bytes under a temporary name, which is returned. `path` is what it is meant for. */
  async write(path: string, pieces: readonly Uint8Array[]): Promise<string> {
    try {
      return await this.#temporaries.write(pieces);
    } catch (error) {
      throw unreachable('write', path, error);
    }
  }

  /** As `write`, up to the flush, which `flush` of what is returned does. */
  async begin(path: string, pieces: readonly Uint8Array[]): Promise<UnflushedFile> {
    const named = (error: unknown): never => {
      throw unreachable('write', path, error);
    };
    const file = await this.#temporaries.begin(pieces).catch(named);
    return { ...file, flush: () => file.flush().catch(named) };
  }

  /** Removes a temporary file. */
  drop(temporary: string): Promise<void> {
    return this.#temporaries.drop(temporary);
  }

  /** Gives a temporary file its name as well, unless that is taken. */
  async link(temporary: string, parts: readonly string[]): Promise<{ place: Place; created: boolean }> {
    for (let attempt = 1; ; attempt++) {
      const place = await this.place(parts, true);
      if (place === undefined) {
        throw new Error('a folder to be made cannot be absent');
      }
      const { folder, name, path } = place;
      try {
        // Not a rename, which would replace what is there; the two measured the same.
        await folder.change(name, () => this.#fs.link(temporary, path));
        return { place, created: true };
      } catch (error) {
        if (errnoOf(error) === 'EEXIST') {
          return { place, created: false };
        }
        this.release(folder);
        if (errnoOf(error) !== 'ENOENT' || attempt === MAX_FOLDER_RACES) {
          throw changedNothing(error) ? unreachable('create', path, error) : outcomeUnknown('create', path, error);
        }
        this.#folders.forget(folder);
      }
    }
  }

  /** Moves a temporary file over an object, or drops it. */
  async rename(temporary: string, { folder, name, path }: Place): Promise<void> {
    try {
      await folder.change(name, () => this.#fs.rename(temporary, path));
    } catch (error) {
      await this.drop(temporary);
      throw changedNothing(error) ? unreachable('replace', path, error) : outcomeUnknown('replace', path, error);
    }
  }

  /** Removes an object, and folders left empty; the lowest folder that stays, or undefined: there was no object. */
  async unlink({ folder, name, path }: Place): Promise<Folder | undefined> {
    try {
      await folder.change(name, () => this.#fs.unlink(path, true));
    } catch (error) {
      switch (errnoOf(error)) {
        case 'ENOENT':
          return undefined;
        case 'EISDIR':
          throw noObject('a folder', path);
        default:
          throw changedNothing(error) ? unreachable('delete', path, error) : outcomeUnknown('delete', path, error);
      }
    }
    return this.#folders.prune(folder);
  }

  /** Operations under way must have ended. */
  close(): Promise<void> {
    return this.#folders.close();
  }

  /** See `Folder.heal`. */
  async #rewrite({ path: folder }: Folder, name: string): Promise<void> {
    const path = `${folder}/${name}`;
    const info = await this.#fs.pathInfo(path).catch(ignore('ENOENT'));
    if (info?.kind === 'folder') {
      // A folder cannot be written anew. But any change of the one it is in makes the file system write that once
      // more, and file systems with a journal write what came before first, or nothing any more.
      await this.#fs.makeFolder(`${folder}/${MOMENTARY_FOLDER}`).catch(ignore('EEXIST'));
      await this.#fs.removeFolder(`${folder}/${MOMENTARY_FOLDER}`);
    }
    const bytes = info?.kind === 'file' ? await readObject(this.#fs, path) : undefined;
    if (bytes !== undefined) {
      const temporary = await this.#temporaries.write([bytes]);
      await this.#fs.rename(temporary, path).catch(async (error) => {
        await this.drop(temporary);
        throw error;
      });
    }
  }
}

/** For `catch`: passes on every error but this one. */
function ignore(code: string): (error: unknown) => undefined {
  return (error) => {
    if (errnoOf(error) !== code) {
      throw error;
    }
  };
}
