/**
 * How a queue lies in a bucket (tiles-spec/submission.md): below a prefix, `new/` for items that wait, `done/` for
 * receipts, `bad/` for what was set aside.
 */

/** What a queue asks of a bucket: part of the ObjectStore of DESIGN §4, whose contract holds for each method. */
export interface QueueStore {
  readonly url: string;
  get(key: string, options?: { readonly maxBytes?: number }): Promise<{ readonly bytes: Uint8Array } | undefined>;
  create(key: string, bytes: Uint8Array, meta: ObjectHeaders): Promise<boolean>;
  delete(key: string): Promise<void>;
  list(prefix: string): AsyncIterable<ListedKey>;
  close(): Promise<void>;
}

interface ObjectHeaders {
  readonly contentType: string;
  readonly cacheControl: string;
}

interface ListedKey {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** ms since 1970 by the store's clock. */
  readonly modified: number;
}

/** A queue in a bucket. */
export interface BucketPlace {
  readonly store: QueueStore;
  /** Where its keys begin: '' or a text that ends in `/`, such as `queue/`. */
  readonly prefix: string;
}

export type BucketFolder = 'new' | 'done' | 'bad';

/** Nothing of a queue is for caches, or for anybody but the log's operator and those who submit. */
export const QUEUE_HEADERS: ObjectHeaders = { contentType: 'application/octet-stream', cacheControl: 'no-store' };

export function keyIn({ prefix }: BucketPlace, folder: BucketFolder, name: string): string {
  return `${prefix}${folder}/${name}`;
}

/** What an operator would recognise. */
export function placeName({ store, prefix }: BucketPlace): string {
  return prefix === '' ? store.url : `${prefix} in ${store.url}`;
}
