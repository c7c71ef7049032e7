/**
 * Writing past the kernel's page cache (O_DIRECT). A page that was not in use costs more to find and fill than the disk
 * takes to write it, and nobody reads a journal record, while a full bundle is read seldom: what is long is written
 * directly, where the system can. Flushing such a file still makes it durable, and costs less.
 */

import PQueue from 'p-queue';
import { errnoOf } from './directory-errors.ts';
import { COPIED_BY_US, type DirectoryFs, threadPoolSize } from './directory-fs.ts';
import { totalLength } from './object.ts';

/** From this many bytes on it pays (`npm run bench -- append`: bundles of 1 KiB entries, but not of 128 B). */
const LONG = 128 * 2 ** 10;

/** What memory, place and length of a direct write are multiples of: no disk asks for more than the size of a page. */
const BLOCK = 4_096;

/** Bytes of one direct write. */
const CHUNK = 2 ** 20;

const WASM_PAGE = 65_536;

/** What the kernel or the file system says when it does not do this, here or at all. */
const UNSUPPORTED = new Set(['EINVAL', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);

/** Buffers of CHUNK bytes that are aligned, of which each serves one file at a time. */
class Buffers {
  readonly #turns: PQueue;
  readonly #free: Uint8Array[];

  constructor(count: number) {
    this.#turns = new PQueue({ concurrency: count });
    // The one memory of which JavaScript knows how it is aligned; it is in use from the first round on for good.
    const pages = (count * CHUNK) / WASM_PAGE;
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.#free = Array.from({ length: count }, (_, i) => new Uint8Array(buffer, i * CHUNK, CHUNK));
  }

  use<T>(task: (buffer: Uint8Array) => Promise<T>): Promise<T> {
    return this.#turns.add(async () => {
      const buffer = this.#free.pop() as Uint8Array; // as many as there are turns
      try {
        return await task(buffer);
      } finally {
        this.#free.push(buffer);
      }
    });
  }
}

/** Of this thread; made when first needed. */
let buffers: Buffers | 'none' | undefined;

/** Undefined where there is no WebAssembly, or no room for its memory. */
function theBuffers(): Buffers | undefined {
  try {
    buffers ??= new Buffers(threadPoolSize());
  } catch {
    buffers = 'none';
  }
  return buffers === 'none' ? undefined : buffers;
}

/** Whether, and how, the files of one directory are written directly. */
export class DirectWrites {
  readonly #fs: DirectoryFs;
  #supported: boolean;

  constructor(fs: DirectoryFs) {
    this.#fs = fs;
    this.#supported = fs.openDirect !== undefined;
  }

  /**
   * Writes the beginning of `pieces` to the empty file at `path`; the number of bytes that are written: none where they
   * are few, or where the system cannot do this. The rest, what is no whole block at least, is to be appended.
   */
  async begin(path: string, pieces: readonly Uint8Array[]): Promise<number> {
    const length = totalLength(pieces);
    if (!this.#supported || length < LONG) return 0;
    const whole = length - (length % BLOCK);
    let written = 0;
    await theBuffers()?.use(async (buffer) => {
      const fd = await this.#open(path);
      if (fd === undefined) return;
      try {
        // A short write would be done by this thread, which would wait for the disk.
        while (whole - written > COPIED_BY_US) {
          const chunk = buffer.subarray(0, Math.min(CHUNK, whole - written));
          copyFrom(pieces, written, chunk);
          const taken = await this.#fs.write(fd, [chunk]);
          written += taken;
          if (taken % BLOCK !== 0 || taken === 0) return; // a full disk: the next write tells
        }
      } catch (error) {
        this.#unlessUnsupported(error);
      } finally {
        await this.#fs.close(fd).catch(() => undefined); // the flush tells
      }
    });
    return written;
  }

  async #open(path: string): Promise<number | undefined> {
    try {
      return await this.#fs.openDirect?.(path);
    } catch (error) {
      this.#unlessUnsupported(error);
      return undefined;
    }
  }

  #unlessUnsupported(error: unknown): void {
    if (!UNSUPPORTED.has(errnoOf(error) ?? '')) throw error;
    this.#supported = false;
  }
}

/** Fills `into` with the bytes from `from` on of the pieces, one after another. */
function copyFrom(pieces: readonly Uint8Array[], from: number, into: Uint8Array): void {
  let start = 0;
  for (const piece of pieces) {
    const begin = Math.max(from, start);
    const end = Math.min(from + into.length, start + piece.length);
    if (begin < end) into.set(piece.subarray(begin - start, end - start), begin - from);
    start += piece.length;
  }
}
