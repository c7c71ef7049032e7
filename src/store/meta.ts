import type { ObjectMeta } from './types.ts';

const IMMUTABLE: ObjectMeta = {
  contentType: 'application/octet-stream',
  cacheControl: 'public, max-age=31536000, immutable',
};
const CHECKPOINT: ObjectMeta = { contentType: 'text/plain; charset=utf-8', cacheControl: 'no-cache' };
const DESCRIPTION: ObjectMeta = { contentType: 'application/json', cacheControl: 'no-cache' };
const PRIVATE: ObjectMeta = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

/**
 * The headers that an object is stored and served with, from its key alone (DESIGN §4; c2sp.org/tlog-tiles asks for
 * `text/plain; charset=utf-8` and `application/octet-stream`). Tiles and bundles never change; all that is unknown
 * here is kept out of caches.
 */
export function metaFor(key: string): ObjectMeta {
  if (key === 'checkpoint' || key === 'successor') {
    return CHECKPOINT;
  }
  if (key === 'log.json') {
    return DESCRIPTION;
  }
  return key.startsWith('tile/') ? IMMUTABLE : PRIVATE;
}
