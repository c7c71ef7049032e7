import type { S3Client } from '@aws-sdk/client-s3';
import { throwIfAborted } from './errors.ts';
import { parseKey } from './keys.ts';
import { codeOf, statusOf } from './s3-errors.ts';
import type { RetryPolicy } from './s3-retry.ts';
import type { BucketLocation } from './s3-url.ts';

/** A bucket with a client for it. */
export interface Bucket {
  readonly client: S3Client;
  readonly location: BucketLocation;
  /** For one request and its body, in ms. */
  readonly requestTimeoutMs: number;
  readonly retries: RetryPolicy;
}

/** Where an object is in the bucket. Throws `malformed` for what is no key. */
export function placeOf({ location }: Bucket, key: string): { Bucket: string; Key: string } {
  const whole = location.prefix + key;
  parseKey(whole);
  return { Bucket: location.bucket, Key: whole };
}

/**
 * Asks once, within the time for one request. Rejects with `aborted` once the caller has given up, and otherwise with
 * whatever the SDK throws: only who asked knows what it means.
 */
export async function askOnce<T>(
  bucket: Bucket,
  doing: string,
  signal: AbortSignal | undefined,
  ask: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal, doing);
  const timeout = AbortSignal.timeout(bucket.requestTimeoutMs);
  try {
    return await ask(signal === undefined ? timeout : AbortSignal.any([timeout, signal]));
  } catch (error) {
    throwIfAborted(signal, doing);
    if (timeout.aborted && statusOf(error) === undefined) {
      throw new Error(`no answer within ${bucket.requestTimeoutMs} ms`, { cause: error });
    }
    throw error;
  }
}

/** The object is not there. Other 404s are not this: a bucket that is not there, a server that is no S3 server. */
export function isAbsence(error: unknown): boolean {
  return statusOf(error) === 404 && codeOf(error) === 'NoSuchKey';
}
