import { SteleError } from '../errors.ts';
import { errnoOf, noObject, unreachable } from './directory-errors.ts';
import type { DirectoryFs } from './directory-fs.ts';
import { throwIfAborted, UnreachableError } from './errors.ts';
import type { GetOptions } from './types.ts';

/**
 * The bytes of the regular file at `path`; undefined when there is none. Anything else at that path (a folder, a
 * symbolic link, a pipe) is `corrupt`. The folders on the way must have been looked at: see `Folders.use`.
 */
export async function readObject(
  fs: DirectoryFs,
  path: string,
  options: GetOptions = {},
): Promise<Uint8Array | undefined> {
  throwIfAborted(options.signal, `reading ${path}`);
  let fd: number;
  try {
    fd = await fs.openFile(path);
  } catch (error) {
    switch (errnoOf(error)) {
      case 'ENOENT':
        return undefined;
      case 'ELOOP':
      case 'EMLINK': // what FreeBSD says of a link
        throw noObject('a symbolic link', path);
      case 'ENXIO':
        throw noObject('a socket or a device', path);
      default:
        throw unreachable('read', path, error);
    }
  }
  try {
    return await readOpen(fs, fd, path, options);
  } catch (error) {
    throw unreachable('read', path, error);
  } finally {
    await fs.close(fd).catch(() => undefined);
  }
}

async function readOpen(fs: DirectoryFs, fd: number, path: string, options: GetOptions): Promise<Uint8Array> {
  const { kind, size } = await fs.info(fd);
  if (kind !== 'file') {
    throw noObject(kind === 'folder' ? 'a folder' : 'a pipe or a device', path);
  }
  if (options.maxBytes !== undefined && size > options.maxBytes) {
    throw new SteleError('limit', `${path} has ${size} bytes, more than the ${options.maxBytes} that were expected`);
  }
  // Unlike `new Uint8Array`, this does not clear what is overwritten at once.
  const bytes = new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  let length = 0;
  while (length < size) {
    const count = await fs.read(fd, bytes.subarray(length), length);
    if (count === 0) {
      throw new UnreachableError(
        `${path} shrank from ${size} to ${length} bytes while it was read: something edits it`,
      );
    }
    length += count;
  }
  throwIfAborted(options.signal, `reading ${path}`);
  return bytes;
}
