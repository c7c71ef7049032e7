import PQueue from 'p-queue';
import { SteleError } from '../errors.ts';
import { DEFAULT_REQUEST_TIMEOUT_MS } from './http.ts';
import { piecesOf } from './object.ts';
import { makeClient } from './s3-client.ts';
import { getObject, listObjects } from './s3-read.ts';
import { type Bucket, placeOf } from './s3-request.ts';
import { type RetryPolicy, USUAL_RETRIES } from './s3-retry.ts';
import type { BucketLocation } from './s3-url.ts';
import { createImmutable, createObject, deleteObject, replaceObject } from './s3-write.ts';
import type { NewObject, ObjectStore } from './types.ts';

export interface BucketOptions {
  /** For one request and its body. */
  readonly requestTimeoutMs?: number;
  /** How what may be tried again is. */
  readonly retries?: RetryPolicy;
}

/**
 * The ObjectStore in a bucket of AWS or of any server that honours `If-None-Match: *` and `If-Match` on PUT; which
 * `probeStore` finds out. Opening asks the server nothing.
 */
export function openBucket(location: BucketLocation, options: BucketOptions = {}): ObjectStore {
  const bucket: Bucket = {
    client: makeClient(location),
    location,
    requestTimeoutMs: options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS,
    retries: options.retries ?? USUAL_RETRIES,
  };
  const queue = new PQueue({ concurrency: location.concurrency });
  return {
    url: location.url,
    get: (key, wanted) => getObject(bucket, key, wanted),
    create: (key, bytes, meta) => createObject(bucket, key, bytes, meta),
    async stage(key, bytes, meta) {
      placeOf(bucket, key);
      // Copied, for the caller's buffers may change; a bucket has no place for bytes that nobody reads.
      let staged: Uint8Array | undefined = Buffer.concat(piecesOf(bytes));
      return {
        async create() {
          if (staged === undefined) {
            throw new SteleError('aborted', `what was staged for ${key} has been created or discarded already`);
          }
          const created = await createObject(bucket, key, staged, meta);
          staged = undefined; // only now: after `unreachable` it may be called again
          return created;
        },
        async discard() {
          staged = undefined;
        },
      };
    },
    createAll: (objects) => createEach(bucket, queue, objects),
    replace: (key, bytes, meta, ifMatch) => replaceObject(bucket, key, bytes, meta, ifMatch),
    delete: (key) => deleteObject(bucket, key),
    list: (prefix) => listObjects(bucket, prefix),
    async close() {
      bucket.client.destroy();
    },
  };
}

/** No more objects are taken from the iterable than can be on their way; after a failure, no more at all. */
async function createEach(bucket: Bucket, queue: PQueue, objects: Iterable<NewObject>): Promise<void> {
  const running = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const start = (object: NewObject): void => {
    const task = queue
      .add(() => createImmutable(bucket, object))
      .catch((error) => {
        failure ??= { error };
      })
      .finally(() => running.delete(task));
    running.add(task);
  };
  try {
    for (const object of objects) {
      await queue.onSizeLessThan(1);
      if (failure !== undefined) break;
      start(object);
    }
  } finally {
    await Promise.all(running);
  }
  if (failure !== undefined) throw failure.error;
}
