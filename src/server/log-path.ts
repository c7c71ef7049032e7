/** Which request paths are objects of a public log. Everything else does not exist, whatever the store holds. */

import { isSteleError } from '../errors.ts';
import { parseTilePath } from '../tiles/index.ts';

/**
 * The key of the public object that a request target names, or undefined. The target is compared as it was sent: nothing
 * is decoded, so `..`, encoded slashes and other spellings of a path are simply not paths of a log (TILES-19). A query
 * is ignored, as buckets do.
 */
export function publicKey(target: string): string | undefined {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (!path.startsWith('/')) return undefined;
  const key = path.slice(1);
  return key === 'checkpoint' || key === 'log.json' || isTilePath(key) ? key : undefined;
}

function isTilePath(key: string): boolean {
  if (!key.startsWith('tile/')) return false;
  try {
    parseTilePath(key);
    return true;
  } catch (error) {
    if (isSteleError(error, 'malformed', 'limit')) return false;
    throw error;
  }
}
