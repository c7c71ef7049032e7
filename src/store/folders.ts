import { SteleError } from '../errors.ts';
import { errnoOf, noObject } from './directory-errors.ts';
import { Folder, type FolderDeps } from './folder.ts';

/** Folders kept open while nobody uses them. One holds up to 1,000 tiles, so these span 60 million entries. */
const MAX_IDLE_FOLDERS = 256;

/** How often a name is tried again whose folder was removed, being empty, before the name was made in it. */
export const MAX_FOLDER_RACES = 5;

/** The open folders of one directory store. Rejects with the system's own errors, or `corrupt`. */
export class Folders {
  readonly #deps: FolderDeps;
  readonly #root: string;
  /** By path, least recently used first. */
  readonly #open = new Map<string, Folder>();
  readonly #opening = new Map<string, Promise<Folder | undefined>>();

  constructor(deps: FolderDeps, root: string) {
    this.#deps = deps;
    this.#root = root;
  }

  /**
   * The folder at these parts below the root, in use until `release`; missing ones are made if `make`. Undefined:
   * there is none. A symbolic link on the way is `corrupt`: it might lead out of the store.
   */
  async use(parts: readonly string[], make: boolean): Promise<Folder | undefined> {
    const path = [this.#root, ...parts].join('/');
    for (;;) {
      const open = this.#open.get(path);
      if (open !== undefined) {
        this.#open.delete(path);
        this.#open.set(path, open);
        open.users++;
        return open;
      }
      const opening = this.#opening.get(path);
      if (opening === undefined) {
        break;
      }
      await opening.catch(() => undefined);
    }
    const opening = this.#openFolder(path, parts, make).finally(() => this.#opening.delete(path));
    this.#opening.set(path, opening);
    return opening;
  }

  release(folder: Folder): void {
    folder.users--;
    if (folder.removed && folder.users === 0) {
      this.#close(folder);
    }
  }

  /** The folder is not there any more: whoever needs it opens it anew. */
  forget(folder: Folder): void {
    if (!folder.removed && folder.parent !== undefined) {
      folder.removed = true;
      this.#open.delete(folder.path);
    }
  }

  /**
   * Removes the folder, and those above it, as far as nothing is left in them and nobody but the caller uses them;
   * returns the lowest one that stays. Whoever was about to make something in one finds ENOENT, and makes it again.
   */
  async prune(folder: Folder): Promise<Folder> {
    let at = folder;
    while (at.parent !== undefined && at.users === 1) {
      const { path, name, parent } = at;
      try {
        await parent.change(name, () => this.#deps.fs.removeFolder(path));
      } catch {
        // Not empty, most likely; an empty folder left behind does no harm either.
        return at;
      }
      this.forget(at);
      at = parent;
    }
    return at;
  }

  /** Closes every descriptor. Operations under way must have ended. */
  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map((folder) => folder.close()));
  }

  async #openFolder(path: string, parts: readonly string[], make: boolean): Promise<Folder | undefined> {
    const name = parts.at(-1);
    if (name === undefined) {
      return this.#add(new Folder(this.#deps, path, '', undefined, await this.#deps.fs.openFolder(path)));
    }
    for (let attempt = 1; ; attempt++) {
      const parent = await this.use(parts.slice(0, -1), make);
      if (parent === undefined) {
        return undefined;
      }
      try {
        const fd = await this.#openDescriptor(path, name, parent, make);
        if (fd === undefined) {
          return undefined;
        }
        parent.users++;
        return this.#add(new Folder(this.#deps, path, name, parent, fd));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT' || attempt === MAX_FOLDER_RACES) {
          throw error;
        }
        this.forget(parent);
      } finally {
        this.release(parent);
      }
    }
  }

  async #openDescriptor(path: string, name: string, parent: Folder, make: boolean): Promise<number | undefined> {
    try {
      return await this.#deps.fs.openFolder(path);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOTDIR' || code === 'ELOOP') {
        return this.#refuse(path, make);
      }
      if (code !== 'ENOENT') {
        throw error;
      }
    }
    if (!make) {
      return undefined;
    }
    try {
      await parent.change(name, () => this.#deps.fs.makeFolder(path));
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST') {
        throw error;
      }
    }
    return this.#deps.fs.openFolder(path);
  }

  /** A link is never followed. Where a file is in the way there is nothing below it to read, and no room to write. */
  async #refuse(path: string, make: boolean): Promise<undefined> {
    const { kind } = await this.#deps.fs.pathInfo(path);
    if (kind === 'link') {
      throw noObject('a symbolic link', path);
    }
    if (make) {
      throw new SteleError(
        'corrupt',
        `${path} is not a folder, but objects of the store belong below it: move it away`,
      );
    }
    return undefined;
  }

  #add(folder: Folder): Folder {
    this.#open.set(folder.path, folder);
    for (const idle of this.#open.values()) {
      if (this.#open.size <= MAX_IDLE_FOLDERS) {
        break;
      }
      if (idle.users === 0 && idle.clean) {
        this.#open.delete(idle.path);
        this.#close(idle);
      }
    }
    return folder;
  }

  #close(folder: Folder): void {
    if (folder.parent !== undefined) {
      this.release(folder.parent);
    }
    void folder.close();
  }
}
