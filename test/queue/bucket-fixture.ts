/** Queues in a bucket for tests: a memory store that is watched, and can be made to fail or to grow old. */

import type { TestContext } from 'node:test';
import { type Clock, systemClock } from '../../src/clock.ts';
import { BucketQueue, type BucketQueueOptions, BucketSubmitter, type QueueStore } from '../../src/queue/index.ts';
import { type ObjectStore, openMemory } from '../../src/store/index.ts';

export type Operation = 'get' | 'create' | 'delete' | 'list';

export interface TestBucket {
  readonly store: QueueStore;
  /** What is in it, around whoever watches. */
  readonly inside: ObjectStore;
  /** Requests so far, in order: `list queue/new/`. */
  readonly requests: string[];
  /** Called before each request; what it throws is the answer. */
  before: (operation: Operation, key: string) => void | Promise<void>;
  /** Called when a request was done; what it throws is the answer instead of the true one. */
  after: (operation: Operation, key: string) => void | Promise<void>;
  /** Added to the times that a list tells, in milliseconds. */
  modifiedPlus: (key: string) => number;
  /** Names in one of the queue's folders. */
  names(folder: 'new' | 'done' | 'bad'): Promise<string[]>;
  open(options?: Partial<BucketQueueOptions>): BucketQueue;
  submitter(clock?: Clock): BucketSubmitter;
}

const PREFIX = 'queue/';
let buckets = 0;

/** What is opened of it is closed when the test ends. */
export function makeBucket(t: TestContext): TestBucket {
  buckets += 1;
  const inside = openMemory(`queue-test-${buckets}`);
  const watched = async <T>(operation: Operation, key: string, work: () => Promise<T>): Promise<T> => {
    bucket.requests.push(`${operation} ${key}`);
    await bucket.before(operation, key);
    const result = await work();
    await bucket.after(operation, key);
    return result;
  };
  const store: QueueStore = {
    url: inside.url,
    get: (key, options) => watched('get', key, () => inside.get(key, options)),
    create: (key, bytes, meta) => watched('create', key, () => inside.create(key, bytes, meta)),
    delete: (key) => watched('delete', key, () => inside.delete(key)),
    async *list(prefix) {
      bucket.requests.push(`list ${prefix}`);
      await bucket.before('list', prefix);
      for await (const listed of inside.list(prefix)) {
        yield { ...listed, modified: listed.modified + bucket.modifiedPlus(listed.key) };
      }
      await bucket.after('list', prefix);
    },
    close: () => inside.close(),
  };
  const place = { store, prefix: PREFIX };
  const bucket: TestBucket = {
    store,
    inside,
    requests: [],
    before: () => {},
    after: () => {},
    modifiedPlus: () => 0,
    async names(folder) {
      const keys: string[] = [];
      const start = `${PREFIX}${folder}/`;
      for await (const { key } of inside.list(start)) keys.push(key.slice(start.length));
      return keys;
    },
    open(options) {
      const queue = new BucketQueue(place, { clock: systemClock, ...options });
      t.after(() => queue.close());
      return queue;
    },
    submitter(clock = systemClock) {
      const submitter = new BucketSubmitter(place, { clock, random: () => 1 });
      t.after(() => submitter.close());
      return submitter;
    },
  };
  return bucket;
}
