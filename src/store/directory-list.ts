import { errnoOf, unreachable } from './directory-errors.ts';
import type { DirectoryFs, PathInfo } from './directory-fs.ts';
import { compareKeys, isKeyPart, parsePrefix } from './keys.ts';
import type { ListedObject } from './types.ts';

/** Files looked at for their sizes at a time: hides the way to the thread pool and back. */
const LOOKS_AT_ONCE = 32;

/**
 * Walks the regular files below `root` whose key starts with `prefix`, in order of the keys' bytes; memory is bounded
 * by the largest folder. What vanishes meanwhile is left out; links, pipes, and names that no key can have are not
 * objects.
 */
export async function* listObjects(fs: DirectoryFs, root: string, prefix: string): AsyncGenerator<ListedObject> {
  const { folders, start } = parsePrefix(prefix);
  for (let i = 1; i <= folders.length; i++) {
    const info = await look(fs, [root, ...folders.slice(0, i)].join('/'));
    if (info?.kind !== 'folder') {
      return;
    }
  }
  yield* walk(fs, root, folders.map((part) => `${part}/`).join(''), start);
}

/** The objects in the folder `${root}/${below}` whose names there start with `start`. */
async function* walk(fs: DirectoryFs, root: string, below: string, start: string): AsyncGenerator<ListedObject> {
  const names: string[] = [];
  for (const { name, kind } of await namesIn(fs, `${root}/${below}`)) {
    if (name.startsWith(start) && isKeyPart(name) && (kind === 'file' || kind === 'folder')) {
      // The keys in a folder `a` go on with a slash, which puts them after `a.b` and before `a0`.
      names.push(kind === 'folder' ? `${name}/` : name);
    }
  }
  names.sort(compareKeys);
  for (let i = 0; i < names.length; i += LOOKS_AT_ONCE) {
    const some = names.slice(i, i + LOOKS_AT_ONCE);
    const found = await Promise.all(
      some.map((name) => (name.endsWith('/') ? undefined : look(fs, `${root}/${below}${name}`))),
    );
    for (const [at, name] of some.entries()) {
      const info = found[at];
      if (name.endsWith('/')) {
        yield* walk(fs, root, `${below}${name}`, '');
      } else if (info?.kind === 'file') {
        yield { key: `${below}${name}`, size: info.size, modified: info.modified };
      }
    }
  }
}

async function namesIn(fs: DirectoryFs, path: string) {
  try {
    return await fs.readFolder(path);
  } catch (error) {
    if (isAbsence(error)) {
      return [];
    }
    throw unreachable('list', path, error);
  }
}

/** undefined: it vanished, or never was. */
async function look(fs: DirectoryFs, path: string): Promise<PathInfo | undefined> {
  try {
    return await fs.pathInfo(path);
  } catch (error) {
    if (isAbsence(error)) {
      return undefined;
    }
    throw unreachable('list', path, error);
  }
}

function isAbsence(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}
