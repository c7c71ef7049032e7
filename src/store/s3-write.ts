/**
 * Writes to a bucket (DESIGN §4). A conditional PUT is sent once, and again only where the answer says that it was not
 * done. What is reported is what is known: won, lost, nothing was written, or nobody knows; a request that was sent again
 * can meet its own object and be told that it lost, so whatever follows an unknown is compared with what is there before
 * it is called a loss.
 */

import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';
import { equalsPieces, piecesOf, totalLength } from './object.ts';
import { codeOf, statusOf, UnknownError, writeFailure } from './s3-errors.ts';
import { getObject } from './s3-read.ts';
import { askOnce, type Bucket, isAbsence, placeOf } from './s3-request.ts';
import { tryAgain, waitMs } from './s3-retry.ts';
import type { ETag, NewObject, ObjectMeta } from './types.ts';

/**
 * A server that keeps objects in folders may refuse a write that meets the removal of the last other object beside it,
 * as if it were forbidden; MinIO does it to one in about 2,000 of those. A real refusal costs two requests more.
 */
const DENIALS = 3;

type Condition = { readonly IfNoneMatch: '*' } | { readonly IfMatch: ETag };
const ABSENT: Condition = { IfNoneMatch: '*' };

type Put =
  | { readonly kind: 'done'; readonly etag: ETag }
  /** The condition does not hold. */
  | { readonly kind: 'lost' }
  /** Something else was going on with the object, which says nothing about who won. */
  | { readonly kind: 'disturbed'; readonly error: unknown };

/** As `ObjectStore.create`. */
export async function createObject(
  bucket: Bucket,
  key: string,
  bytes: NewObject['bytes'],
  meta: ObjectMeta,
): Promise<boolean> {
  const pieces = piecesOf(bytes);
  for (let attempt = 1; ; attempt++) {
    const put = await putObject(bucket, key, pieces, meta, ABSENT);
    if (put.kind === 'done') return true;
    if (put.kind === 'lost' && attempt === 1) return false;
    const found = await whatIsThere(bucket, key, pieces);
    if (found === 'ours') throw maybeOurs(bucket, key);
    if (put.kind === 'lost' || found !== undefined) return false;
    await afterDisturbance(bucket, key, attempt, put.error);
  }
}

/** As `ObjectStore.replace`. */
export async function replaceObject(
  bucket: Bucket,
  key: string,
  bytes: Uint8Array,
  meta: ObjectMeta,
  ifMatch: ETag | null,
): Promise<ETag> {
  // An empty header is no condition to some servers: it would overwrite whatever is there.
  if (ifMatch === '') throw untold(bucket, key);
  const condition = ifMatch === null ? ABSENT : { IfMatch: ifMatch };
  for (let attempt = 1; ; attempt++) {
    const put = await putObject(bucket, key, [bytes], meta, condition);
    if (put.kind === 'done') return put.etag;
    // A proxy may have sent our own swap twice, and passed on the second answer.
    const found = await whatIsThere(bucket, key, [bytes]);
    if (found === 'ours') throw maybeOurs(bucket, key);
    if (put.kind === 'lost' || (found ?? null) !== ifMatch) {
      throw new SteleError(
        'precondition-failed',
        `${key} in ${bucket.location.url} was to be replaced at version ${ifMatch ?? 'none'}, but is at ${found ?? 'none'}`,
      );
    }
    await afterDisturbance(bucket, key, attempt, put.error);
  }
}

/** Creates an immutable object, or finds it there with equal bytes; unknown outcomes are settled by doing it again. */
export async function createImmutable(bucket: Bucket, { key, bytes, meta }: NewObject): Promise<void> {
  const pieces = piecesOf(bytes);
  await tryAgain(bucket.retries, undefined, async () => {
    const put = await putObject(bucket, key, pieces, meta, ABSENT);
    if (put.kind === 'done') return;
    const found = await whatIsThere(bucket, key, pieces);
    if (found === 'ours') return;
    if (found === undefined) throw new UnreachableError(`${key} in ${bucket.location.url} is neither there nor absent`);
    throw new SteleError('conflict', `${key} exists in ${bucket.location.url} with other bytes; objects never change`);
  });
}

/** As `ObjectStore.delete`: never conditional, for servers that ignore the condition delete what they should not. */
export async function deleteObject(bucket: Bucket, key: string): Promise<void> {
  const place = placeOf(bucket, key);
  const doing = `deleting ${key} in ${bucket.location.url}`;
  await tryAgain(bucket.retries, undefined, async () => {
    try {
      await askOnce(bucket, doing, undefined, (abortSignal) =>
        bucket.client.send(new DeleteObjectCommand(place), { abortSignal }),
      );
    } catch (error) {
      if (!isAbsence(error)) throw writeFailure(error, doing);
    }
  });
}

async function putObject(
  bucket: Bucket,
  key: string,
  pieces: readonly Uint8Array[],
  meta: ObjectMeta,
  condition: Condition,
): Promise<Put> {
  const place = placeOf(bucket, key);
  const doing = `writing ${key} in ${bucket.location.url}`;
  const [only = new Uint8Array()] = pieces;
  const input = {
    ...place,
    ...condition,
    Body: pieces.length < 2 ? only : Buffer.concat(pieces),
    ContentLength: totalLength(pieces),
    ContentType: meta.contentType,
    CacheControl: meta.cacheControl,
  };
  for (let denials = 0; ; ) {
    try {
      const { ETag: etag } = await askOnce(bucket, doing, undefined, (abortSignal) =>
        bucket.client.send(new PutObjectCommand(input), { abortSignal }),
      );
      if (!etag) throw new UnknownError(`${doing}: the server told no version of it`);
      return { kind: 'done', etag };
    } catch (error) {
      // An absent object answers 404, and not 412, to If-Match; to If-None-Match, 404 is no answer at all. Some servers
      // have answered 304 to a write, which is meant for reads.
      const status = statusOf(error);
      if (status === 412 || status === 304 || ('IfMatch' in condition && isAbsence(error))) return { kind: 'lost' };
      if (status === 409 && codeOf(error) !== 'BucketAlreadyExists') return { kind: 'disturbed', error };
      if (!mayPass(bucket, error) || ++denials === DENIALS) throw writeFailure(error, doing);
    }
    await bucket.retries.clock.sleep(waitMs(bucket.retries, denials) ?? 0);
  }
}

/** Whether a refusal may pass; AWS means what it says. */
function mayPass({ location }: Bucket, error: unknown): boolean {
  return location.endpoint !== undefined && statusOf(error) === 403 && codeOf(error) === 'AccessDenied';
}

/** The version that is there; `ours`: it has our bytes; undefined: nothing is. A look that fails leaves all unknown. */
async function whatIsThere(
  bucket: Bucket,
  key: string,
  pieces: readonly Uint8Array[],
): Promise<ETag | 'ours' | undefined> {
  try {
    const found = await getObject(bucket, key);
    return found && equalsPieces(found.bytes, pieces) ? 'ours' : found?.etag;
  } catch (cause) {
    throw new UnknownError(`${key} in ${bucket.location.url}: it was refused, and what is there cannot be read`, {
      cause,
    });
  }
}

function untold({ location }: Bucket, key: string): SteleError {
  return new SteleError(
    'config',
    `${key} in ${location.url} was read without a version (ETag), so it cannot be replaced; a proxy before the server may have dropped it: let it pass, or name the server itself`,
  );
}

function maybeOurs(bucket: Bucket, key: string): UnknownError {
  return new UnknownError(
    `${key} in ${bucket.location.url}: it was refused, and our bytes are there: this write, or another one's of the same`,
  );
}

async function afterDisturbance({ location, retries }: Bucket, key: string, attempt: number, cause: unknown) {
  const wait = waitMs(retries, attempt);
  if (attempt >= retries.attempts || wait === undefined) {
    throw new UnknownError(`writing ${key} in ${location.url}: others write to it all the time`, { cause });
  }
  await retries.clock.sleep(wait);
}
