/**
 * Where objects are kept: the ObjectStore of DESIGN §4, its kinds (directory, bucket, memory, HTTP for reading), opened
 * from a URL; the lock that lets one process at a time write to a directory; and the suite that any store must pass.
 *
 * A store knows keys and bytes, nothing of logs, except the headers that the paths of c2sp.org/tlog-tiles are served
 * with. `http.ts` and what it imports run in a browser; everything else needs Node.
 */

export { allowPublicRead, ensureBucket, isPubliclyReadable, listenForObjects, publicUrl } from './buckets.ts';
export {
  type ConformanceReport,
  conformance,
  type KeptOrBroken,
  runConformance,
  type StorePromise,
} from './conformance.ts';
export { DedupCache } from './dedup-cache.ts';
export { type DirectoryOptions, openDirectory, openReadableDirectory } from './directory.ts';
export { type DirectoryFs, nodeFs, type PathInfo, type PathKind } from './directory-fs.ts';
export { UnreachableError } from './errors.ts';
export { type HttpOptions, openHttp } from './http.ts';
export { compareKeys, parseKey } from './keys.ts';
export { type Lock, LockedError, type LockHolder, type LockOptions, lockDirectory } from './lock.ts';
export { openMemory } from './memory.ts';
export { metaFor } from './meta.ts';
export { equalsPieces, totalLength } from './object.ts';
export {
  directoryUrl,
  type OpenOptions,
  type OpenReadableOptions,
  openReadableStore,
  openStore,
  sweepTemporaries,
} from './open.ts';
export { probeStore } from './probe.ts';
export { makeRoot } from './root.ts';
export { isBucketUrl } from './s3-url.ts';
export { type StoreObserver, sweepTemporaryFolder } from './temporaries.ts';
export type {
  ETag,
  GetOptions,
  ListedObject,
  NewObject,
  ObjectMeta,
  ObjectStore,
  ReadableStore,
  StagedObject,
  StoredObject,
} from './types.ts';
export { openWriterStores, type WriterStores } from './writer-stores.ts';
