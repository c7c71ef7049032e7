/** Every path that the server answers, by its exact spelling: nothing is decoded, and nothing else exists. */

import { isSteleError } from '../errors.ts';
import { parseTilePath } from '../tiles/index.ts';

/** Paths beside the log's own objects, and the methods that each takes. */
export const API_PATHS = {
  '/api/v2/log/entries': ['POST'],
  '/healthz': ['GET', 'HEAD'],
  '/readyz': ['GET', 'HEAD'],
  '/metrics': ['GET', 'HEAD'],
  '/openapi.json': ['GET', 'HEAD'],
} as const;

export type ApiPath = keyof typeof API_PATHS;

/** The specification of Rekor v2 has the log's objects below this; most readers ask for them at the root. */
export const API_PREFIX = '/api/v2';

/** What a request is for. `name` is one of a dozen, for metrics. */
export type Route =
  | { readonly kind: 'object'; readonly name: string; readonly key: string }
  | { readonly kind: 'api'; readonly name: ApiPath }
  | { readonly kind: 'none'; readonly name: 'none' };

const NONE: Route = { kind: 'none', name: 'none' };

/** The route of a request target. A query is ignored, as buckets do. */
export function routeOf(target: string): Route {
  const query = target.indexOf('?');
  const path = query < 0 ? target : target.slice(0, query);
  if (Object.hasOwn(API_PATHS, path)) return { kind: 'api', name: path as ApiPath };
  const key = publicKey(path);
  return key === undefined ? NONE : { kind: 'object', name: classOf(key), key };
}

/**
 * The key of the public object that a path names, at the root or below `/api/v2`, or undefined. The path is compared as it
 * was sent, so `..`, encoded slashes and other spellings are simply not paths of a log (TILES-19).
 */
function publicKey(path: string): string | undefined {
  const rooted = path.startsWith(`${API_PREFIX}/`) ? path.slice(API_PREFIX.length) : path;
  if (!rooted.startsWith('/')) return undefined;
  const key = rooted.slice(1);
  return key === 'checkpoint' || key === 'log.json' || key === 'successor' || isTilePath(key) ? key : undefined;
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

function classOf(key: string): string {
  if (key.startsWith('tile/entries/')) return 'entry bundle';
  return key.startsWith('tile/') ? 'tile' : key;
}
