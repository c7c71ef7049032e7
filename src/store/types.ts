/** What every room knows of storage. The contract is DESIGN §4; the conformance suite holds every store to it. */

/** A version of one object, opaque; equal only for equal bytes. */
export type ETag = string;

export interface StoredObject {
  readonly bytes: Uint8Array;
  readonly etag: ETag;
}

/** Headers an object is served with. Directories do not keep them: `metaFor(key)` derives them again. */
export interface ObjectMeta {
  readonly contentType: string;
  readonly cacheControl: string;
}

export interface NewObject {
  readonly key: string;
  /** One buffer, or several to be written one after another (spares the writer a copy). */
  readonly bytes: Uint8Array | readonly Uint8Array[];
  readonly meta: ObjectMeta;
}

export interface ListedObject {
  readonly key: string;
  /** Length in bytes. */
  readonly size: number;
  /** When it was written, in ms since 1970 by the store's own clock. */
  readonly modified: number;
}

export interface GetOptions {
  /** Refuse a body longer than this many bytes (after decoding) with `limit`. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

/** The reader's side: all a client needs. */
export interface ReadableStore {
  /** What an operator would recognise: `file:///srv/log/public`, `https://log.example/`. */
  readonly url: string;
  /** The object, or undefined when it does not exist. Throws `unreachable`, `limit`, `aborted`. */
  get(key: string, options?: GetOptions): Promise<StoredObject | undefined>;
}

/**
 * A place to keep objects, with strong read-after-write.
 *
 * Keys are relative, `/`-separated, with no empty, `.` or `..` part. Every write is durable when its promise
 * resolves. A write whose outcome cannot be known rejects with `outcome-unknown`; any other rejection but
 * `precondition-failed` and `conflict` means that nothing was written (`unreachable`).
 */
export interface ObjectStore extends ReadableStore {
  /** Creates the object if there is none. False: there was one already, whatever its bytes. */
  create(key: string, bytes: NewObject['bytes'], meta: ObjectMeta): Promise<boolean>;
  /**
   * First half of a `create` whose bytes may be made durable early, under a name that nobody reads.
   * A store that cannot do that keeps the bytes until `create()`.
   */
  stage(key: string, bytes: NewObject['bytes'], meta: ObjectMeta): Promise<StagedObject>;
  /**
   * Creates many immutable objects; all are durable on return, in no particular order before. An object that is
   * there already with equal bytes is made durable too; with other bytes: `conflict`, naming the key. When it
   * rejects, some of the objects may be there: call it again. The iterable is asked for objects as they are written.
   */
  createAll(objects: Iterable<NewObject>): Promise<void>;
  /** Replaces the version `ifMatch` (null: there is none yet) or throws `precondition-failed`. */
  replace(key: string, bytes: Uint8Array, meta: ObjectMeta, ifMatch: ETag | null): Promise<ETag>;
  /** Deletes the object; one that is not there is fine. */
  delete(key: string): Promise<void>;
  /** All objects whose key starts with `prefix`, in ascending order of the key's UTF-8 bytes. */
  list(prefix: string): AsyncIterable<ListedObject>;
  /** Releases descriptors and connections. Operations under way must have ended. */
  close(): Promise<void>;
}

export interface StagedObject {
  /** Second half: as `ObjectStore.create`. After `unreachable` it may be called again. */
  create(): Promise<boolean>;
  /** Drops the bytes, unless they were created: nothing else was or will be. */
  discard(): Promise<void>;
}
