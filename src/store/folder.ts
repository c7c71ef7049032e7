import { changedNothing } from './directory-errors.ts';
import type { DirectoryFs } from './directory-fs.ts';

/** What a folder needs of the store it belongs to. */
export interface FolderDeps {
  readonly fs: DirectoryFs;
  /** Called before each flush of a folder. */
  readonly onFlush: () => void;
  /** Replaces a file by a fresh, flushed one with the same bytes, or has the system write a folder's name once more. */
  readonly rewrite: (folder: Folder, name: string) => Promise<void>;
}

/**
 * One folder of a directory store, held open, and what a power cut could still undo in it.
 *
 * Its descriptor is older than every name made in it, so that a write-back error cannot slip past the flush. All
 * rejections are the system's own errors; the store says what they were in the way of.
 */
export class Folder {
  readonly path: string;
  /** Its name in `parent`, which is undefined for the root of the store. */
  readonly name: string;
  readonly parent: Folder | undefined;
  /** Operations at work in it, and open folders right below it. */
  users = 1;
  /** Somebody removed it: it is closed when its last user leaves. */
  removed = false;

  readonly #deps: FolderDeps;
  #fd: number;
  /** Its name and those of all folders above it are durable. Not so when just made, nor when just found. */
  #anchored: boolean;
  /** What was in it when we opened it is durable: whoever made that may have died before the flush. */
  #settled = false;
  /** Names to be flushed, each with the number of its last change; infinite while the change is under way. */
  readonly #changed = new Map<string, number>();
  #changes = 0;
  /** Names whose flush failed: memory and disk may differ, and a later flush that succeeds proves nothing. */
  readonly #doubtful = new Set<string>();
  #flushing: Promise<void> | undefined;
  /** The flush that begins when the one under way ends; it serves all who ask meanwhile. */
  #queued: Promise<void> | undefined;
  #healing: Promise<void> | undefined;

  constructor(deps: FolderDeps, path: string, name: string, parent: Folder | undefined, fd: number) {
    this.#deps = deps;
    this.path = path;
    this.name = name;
    this.parent = parent;
    this.#fd = fd;
    this.#anchored = parent === undefined;
  }

  /** Nothing is left to flush or to heal. */
  get clean(): boolean {
    return this.#changed.size === 0 && this.#doubtful.size === 0;
  }

  /** Runs a system call that changes a name in this folder, and remembers that it is yet to be flushed. */
  async change(name: string, call: () => Promise<void>): Promise<void> {
    const before = this.#changed.get(name);
    this.#changed.set(name, Number.POSITIVE_INFINITY);
    try {
      await call();
    } catch (error) {
      if (changedNothing(error)) {
        if (before === undefined) {
          this.#changed.delete(name);
        } else {
          this.#changed.set(name, before);
        }
        throw error;
      }
      this.#changed.set(name, ++this.#changes);
      this.#doubtful.add(name);
      throw error;
    }
    this.#changed.set(name, ++this.#changes);
  }

  /** Makes durable what somebody has just seen under this name, so that acting upon it cannot outlive it. */
  async vouch(name: string): Promise<void> {
    if (!this.#settled || !this.#anchored || this.#changed.has(name)) {
      await makeDurable([this]);
    } else {
      await this.heal();
    }
  }

  /**
   * After a flush failed, the kernel may have forgotten what it could not write: the names are in memory only, and
   * the next flush says that all is well. So each such name gets a fresh file, and the folder a fresh descriptor,
   * before anything in it is believed again. Rejects while the disk goes on failing.
   */
  async heal(): Promise<void> {
    await this.parent?.heal();
    if (this.#doubtful.size > 0) {
      this.#healing ??= this.#rewriteDoubtful().finally(() => {
        this.#healing = undefined;
      });
      await this.#healing;
    }
  }

  /** Resolves when all changes that ended before this call are durable. */
  flush(): Promise<void> {
    if (this.#queued !== undefined) {
      return this.#queued;
    }
    if (this.#flushing === undefined) {
      return this.#startFlush();
    }
    const start = () => {
      this.#queued = undefined;
      return this.#startFlush();
    };
    this.#queued = this.#flushing.then(start, start);
    return this.#queued;
  }

  async close(): Promise<void> {
    // What was written has been flushed or given up, so nothing can be learnt from an error here.
    await this.#deps.fs.close(this.#fd).catch(() => undefined);
  }

  /** The folders above that hold a name on the way here which is not known to be durable. */
  unanchored(): Folder[] {
    const found: Folder[] = [];
    for (let at: Folder = this; !at.#anchored && at.parent !== undefined; at = at.parent) {
      found.push(at);
    }
    return found;
  }

  /** After a flush of this folder and, if it was not anchored, of all above it. */
  flushed(): void {
    this.#settled = true;
  }

  anchor(): void {
    this.#anchored = true;
  }

  #startFlush(): Promise<void> {
    const covered = this.#changes;
    const flush = async () => {
      this.#deps.onFlush();
      try {
        await this.#deps.fs.flushFolder(this.#fd);
      } catch (error) {
        // What is under way may have reached memory before the flush, and is in doubt with the rest.
        for (const [name, change] of this.#changed) {
          this.#doubtful.add(name);
          if (change <= covered) {
            this.#changed.delete(name);
          }
        }
        throw error;
      } finally {
        this.#flushing = undefined;
      }
      for (const [name, change] of this.#changed) {
        if (change <= covered) {
          this.#changed.delete(name);
        }
      }
    };
    this.#flushing = flush();
    return this.#flushing;
  }

  async #rewriteDoubtful(): Promise<void> {
    const fresh = await this.#deps.fs.openFolder(this.path);
    while (this.#flushing !== undefined) {
      await this.#flushing.catch(() => undefined);
    }
    const old = this.#fd;
    this.#fd = fresh;
    await this.#deps.fs.close(old).catch(() => undefined);
    const names = [...this.#doubtful];
    for (const name of names) {
      await this.change(name, () => this.#deps.rewrite(this, name));
    }
    await this.flush();
    for (const name of names) {
      this.#doubtful.delete(name);
    }
  }
}

/** Flushes each folder once, and each folder above it that holds a name not known to be durable. */
export async function makeDurable(folders: Iterable<Folder>): Promise<void> {
  const toFlush = new Set<Folder>();
  const toAnchor = new Set<Folder>();
  for (const folder of folders) {
    toFlush.add(folder);
    for (const below of folder.unanchored()) {
      toAnchor.add(below);
      if (below.parent !== undefined) {
        toFlush.add(below.parent);
      }
    }
  }
  // All end before a failure is told: whoever tries again must not race with what is still under way.
  const ends = await Promise.allSettled(Array.from(toFlush, (folder) => folder.flush()));
  for (const end of ends) {
    if (end.status === 'rejected') {
      throw end.reason;
    }
  }
  for (const folder of toFlush) {
    // Somebody else's flush may have failed between our change and our flush.
    await folder.heal();
    folder.flushed();
  }
  for (const folder of toAnchor) {
    folder.anchor();
  }
}
