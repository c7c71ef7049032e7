import fs from 'node:fs';
import { promisify } from 'node:util';
import { totalLength } from './object.ts';

export type PathKind = 'file' | 'folder' | 'link' | 'other';

/** What a path or a descriptor leads to: its size in bytes, and when it was last written, in ms since 1970. */
export interface PathInfo {
  readonly kind: PathKind;
  readonly size: number;
  readonly modified: number;
}

/**
 * The few file-system calls that a directory store is made of: what a test replaces to make them fail, and what a
 * simulator of power cuts records and reorders.
 *
 * Each is one system call and rejects with the system's error (`code` is ENOSPC, EIO, …). Paths are absolute. A name
 * made by `createFile`, `link`, `rename`, `makeFolder`, or gone by `unlink`, `removeFolder`, survives a power cut once
 * `flushFolder` of the folder it is in has resolved after it; content survives once `flushFile` has.
 */
export interface DirectoryFs {
  /** A new file to write, never one that exists (EEXIST). */
  createFile(path: string): Promise<number>;
  /**
   * To write to a file from its beginning past the kernel's page cache, in whole blocks from memory that is aligned. Where
   * the file system cannot do that: EINVAL, now or when written to. Absent where the system cannot.
   */
  openDirect?(path: string): Promise<number>;
  /** To read. A symbolic link is refused (ELOOP); a pipe does not block. */
  openFile(path: string): Promise<number>;
  /** To flush. A symbolic link, or anything but a folder, is refused (ENOTDIR or ELOOP). */
  openFolder(path: string): Promise<number>;
  /** Of an open file. */
  info(fd: number): Promise<PathInfo>;
  /** Of a path; a symbolic link is not followed. */
  pathInfo(path: string): Promise<PathInfo>;
  /** Fills `into` from byte `position` of the file on; fewer bytes than fit only at its end, or for no reason. */
  read(fd: number, into: Uint8Array, position: number): Promise<number>;
  /** Writes the pieces behind what was written before; the number of bytes taken may be smaller than asked. */
  write(fd: number, pieces: readonly Uint8Array[]): Promise<number>;
  /** The file's bytes and length. */
  flushFile(fd: number): Promise<void>;
  /** The names in a folder. */
  flushFolder(fd: number): Promise<void>;
  close(fd: number): Promise<void>;
  /** A second name for a file; a name that exists is left alone (EEXIST). */
  link(from: string, to: string): Promise<void>;
  /** Moves a file over whatever file has that name. */
  rename(from: string, to: string): Promise<void>;
  /** `frees`: most likely it is the file's last name, with which its bytes go. */
  unlink(path: string, frees: boolean): Promise<void>;
  makeFolder(path: string): Promise<void>;
  /** Only an empty one (ENOTEMPTY). */
  removeFolder(path: string): Promise<void>;
  /** Names in the folder, in any order. */
  readFolder(path: string): Promise<readonly { readonly name: string; readonly kind: PathKind }[]>;
  /** The same calls, but they hold up the thread that asks: see `withBlockingReads`. */
  readonly blockingReads?: Pick<DirectoryFs, 'openFile' | 'info' | 'read'>;
}

const { O_APPEND, O_CREAT, O_DIRECT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;

// Two kinds of calls. What waits for the disk goes to the thread pool: reading, flushing, and making a file, which waits
// while the file system commits its own journal (200 µs on average beside flushes); removing one and with it what it holds
// (2.5 ms for a journal record). Callbacks made into promises cost less than half of what FileHandle objects do, and hold
// no finalizers. What only changes the kernel's tables is called directly: it takes some 10 µs, and handing it to a thread
// and back several times that, for every object that is made; and behind whatever else waits for those threads.
const open = promisify(fs.open);
const fstat = promisify(fs.fstat);
const lstat = promisify(fs.lstat);
const read = promisify(fs.read);
const write = promisify(fs.write);
const writev = promisify(fs.writev);
const unlink = promisify<string, void>(fs.unlink);
const readdir = promisify(fs.readdir);

/**
 * Bytes that are copied to the kernel at once, up to 0.2 ms where the kernel must find memory for them; more goes to the
 * thread pool. Bundles of 1 KiB entries are above; of 128 B, and tiles, below. `npm run bench -- append` shows what it does.
 */
export const COPIED_BY_US = 64 * 2 ** 10;

const blockingReads: DirectoryFs['blockingReads'] = {
  openFile: async (path) => fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
  info: async (fd) => describe(fs.fstatSync(fd)),
  read: async (fd, into, position) => fs.readSync(fd, into, 0, into.length, position),
};

/** The file system of this machine. */
export const nodeFs: DirectoryFs = {
  createFile: (path) => open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW),
  ...(O_DIRECT !== undefined && { openDirect: (path: string) => open(path, O_WRONLY | O_DIRECT | O_NOFOLLOW) }),
  openFile: (path) => open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
  openFolder: (path) => open(path, O_RDONLY | O_NOFOLLOW | O_DIRECTORY),
  info: async (fd) => describe(await fstat(fd)),
  pathInfo: async (path) => describe(await lstat(path)),
  read: async (fd, into, position) => (await read(fd, into, 0, into.length, position)).bytesRead,
  write: async (fd, pieces) => {
    const [first] = pieces;
    // Node asks for mutable lists and never changes them.
    const all = pieces as Uint8Array[];
    if (totalLength(pieces) <= COPIED_BY_US) return fs.writevSync(fd, all);
    return first !== undefined && pieces.length === 1
      ? (await write(fd, first)).bytesWritten
      : (await writev(fd, all)).bytesWritten;
  },
  // fdatasync: content and length, all that reading it back needs; the times in the inode are nobody's business.
  flushFile: promisify(fs.fdatasync),
  flushFolder: promisify(fs.fsync),
  close: async (fd) => fs.closeSync(fd),
  link: async (from, to) => fs.linkSync(from, to),
  rename: async (from, to) => fs.renameSync(from, to),
  unlink: async (path, frees) => (frees ? unlink(path) : fs.unlinkSync(path)),
  makeFolder: promisify<string, void>(fs.mkdir),
  removeFolder: promisify<string, void>(fs.rmdir),
  readFolder: async (path) => {
    const found = await readdir(path, { withFileTypes: true });
    return found.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
  },
  blockingReads,
};

/**
 * The same, with reads that hold up the thread that asks, where it has them: for what is mostly in the kernel's memory.
 * That is a third faster in a thread that has nothing else to do, as one of fsck, and waits for no other in the pool's line.
 */
export function withBlockingReads(fs: DirectoryFs): DirectoryFs {
  return fs.blockingReads === undefined ? fs : { ...fs, ...fs.blockingReads };
}

/** How many system calls can be under way at once: libuv's thread pool (`bin` raises it to 16). */
export function threadPoolSize(): number {
  const { UV_THREADPOOL_SIZE } = process.env;
  const size = Number(UV_THREADPOOL_SIZE ?? 4);
  return Number.isInteger(size) && size >= 1 ? size : 4;
}

function describe(stats: fs.Stats): PathInfo {
  return { kind: kindOf(stats), size: stats.size, modified: Math.floor(stats.mtimeMs) };
}

function kindOf(entry: fs.Stats | fs.Dirent): PathKind {
  if (entry.isFile()) {
    return 'file';
  }
  if (entry.isDirectory()) {
    return 'folder';
  }
  return entry.isSymbolicLink() ? 'link' : 'other';
}
