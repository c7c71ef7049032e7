import { threadId } from 'node:worker_threads';
import { DirectWrites } from './direct-writes.ts';
import { errnoOf, noObject, unreachable } from './directory-errors.ts';
import { type DirectoryFs, nodeFs } from './directory-fs.ts';
import { TEMPORARY_FOLDER } from './keys.ts';
import { totalLength } from './object.ts';

/** What a benchmark wants to know of a store: how often it flushed, and how much it wrote. */
export interface StoreObserver {
  /** Before each flush, of one file's content or of one folder's names. */
  onFlush?(what: 'file' | 'folder'): void;
  /** After each file was written, before it is visible; in bytes. */
  onWrite?(bytes: number): void;
}

/** A file that is written and not durable yet. */
export interface UnflushedFile {
  readonly path: string;
  /** Makes it durable, and closes it. When that fails, nothing is left of it. */
  flush(): Promise<void>;
  /** Removes it, flushed or not; one that cannot be removed now is swept later. */
  drop(): Promise<void>;
}

/** Numbers the unfinished files of this thread, over all stores: two stores may share a root. */
let made = 0;

/**
 * The unfinished files of one directory store. They live in a folder of their own inside the root: on the same file
 * system, so that they can be linked into place, but never beside objects, and never listed or served.
 */
export class Temporaries {
  readonly #fs: DirectoryFs;
  readonly #folder: string;
  readonly #observer: StoreObserver;
  readonly #direct: DirectWrites;

  constructor(fs: DirectoryFs, root: string, observer: StoreObserver) {
    this.#fs = fs;
    this.#folder = `${root}/${TEMPORARY_FOLDER}`;
    this.#observer = observer;
    this.#direct = new DirectWrites(fs);
  }

  /**
   * A new file with these bytes, durable but for its name; its path. When anything fails, nothing is left of it and
   * the system's error is thrown: after a failed flush the kernel's copy proves nothing, so there is no second try.
   */
  async write(pieces: readonly Uint8Array[]): Promise<string> {
    const file = await this.begin(pieces);
    await file.flush();
    return file.path;
  }

  /** First half of `write`: the bytes are with the kernel. `flush`, to be called once, is the second. */
  async begin(pieces: readonly Uint8Array[]): Promise<UnflushedFile> {
    const { path, fd } = await this.#create();
    let open = true;
    const close = async (): Promise<void> => {
      if (open) await this.#close(fd);
      open = false;
    };
    const drop = async (): Promise<void> => {
      await close();
      await this.drop(path);
    };
    const unlessItFails = async (act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        await drop();
        throw error;
      }
    };
    await unlessItFails(async () => {
      const written = await this.#direct.begin(path, pieces);
      await writeAll(this.#fs, fd, withoutFirst(pieces, written));
    });
    const flush = async (): Promise<void> => {
      this.#observer.onFlush?.('file');
      await unlessItFails(() => this.#fs.flushFile(fd));
      await close();
      this.#observer.onWrite?.(totalLength(pieces));
    };
    return { path, flush, drop };
  }

  /** Removes a file, which has mostly got its own name by now; one that cannot be removed now is swept later. */
  async drop(path: string): Promise<void> {
    await this.#fs.unlink(path, false).catch(() => undefined);
  }

  /** Makes the folder, and finds out whether we may write here at all. */
  async prepare(): Promise<void> {
    await this.#fs.makeFolder(this.#folder).catch((error) => {
      if (errnoOf(error) !== 'EEXIST') {
        throw error;
      }
    });
    if ((await this.#fs.pathInfo(this.#folder)).kind !== 'folder') {
      throw noObject('a link or a file in the place of the folder for unfinished files', this.#folder);
    }
    const { path, fd } = await this.#create();
    await this.#close(fd);
    await this.#fs.unlink(path, true);
  }

  /** The flush has told all there is to tell: an error here changes nothing. */
  async #close(fd: number): Promise<void> {
    await this.#fs.close(fd).catch(() => undefined);
  }

  async #create(): Promise<{ path: string; fd: number }> {
    for (;;) {
      made++;
      const path = `${this.#folder}/${process.pid}.${threadId}.${made}`;
      try {
        return { path, fd: await this.#fs.createFile(path) };
      } catch (error) {
        // Left behind by a process that had our number: take the next name.
        if (errnoOf(error) !== 'EEXIST') {
          throw error;
        }
      }
    }
  }
}

/**
 * Removes what crashed writers left unfinished in the directory store at `root`; returns how many files it was. Only
 * for the holder of the directory's lock: another writer's files may be about to be linked into place.
 */
export async function sweepTemporaryFolder(root: string, fs: DirectoryFs = nodeFs): Promise<number> {
  const folder = `${root}/${TEMPORARY_FOLDER}`;
  let swept = 0;
  try {
    if ((await fs.pathInfo(folder)).kind !== 'folder') {
      throw noObject('a link or a file in the place of the folder for unfinished files', folder);
    }
    for (const { name, kind } of await fs.readFolder(folder)) {
      // We make files only; whatever else is there is somebody's mistake, which is not ours to delete.
      if (kind === 'file') {
        await fs.unlink(`${folder}/${name}`, true);
        swept++;
      }
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') {
      throw unreachable('remove unfinished files in', folder, error);
    }
  }
  return swept;
}

/** Writes all pieces, however few bytes the system takes at a time. */
async function writeAll(fs: DirectoryFs, fd: number, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces.filter((piece) => piece.length > 0);
  while (rest.length > 0) {
    const taken = await fs.write(fd, rest);
    if (taken === 0) {
      throw Object.assign(new Error('ENOSPC: the system took no bytes, write'), { code: 'ENOSPC' });
    }
    rest = withoutFirst(rest, taken);
  }
}

function withoutFirst(pieces: readonly Uint8Array[], bytes: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let skip = bytes;
  for (const piece of pieces) {
    if (skip < piece.length) {
      rest.push(piece.subarray(skip));
    }
    skip = Math.max(0, skip - piece.length);
  }
  return rest;
}
