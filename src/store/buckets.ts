/** What is done with a bucket beside keeping objects in it. The SDK is loaded by whoever comes here with a bucket's URL. */

import { listenToBucket } from './bucket-events.ts';
import { isBucketUrl, parseBucketUrl } from './s3-url.ts';

const administration = () => import('./bucket-administration.ts');

/**
 * Makes the bucket of a store if it is not there. Throws `config` (denied, its name is somebody else's, no URL of a
 * bucket) and `unreachable`.
 */
export async function ensureBucket(url: string): Promise<'made' | 'found'> {
  const location = parseBucketUrl(url);
  return (await administration()).ensureBucket(location);
}

/**
 * Lets anybody GET (not list) the objects below the URL's prefix; the other statements of the bucket's policy stay. On
 * AWS it also lifts this one bucket's block of public policies. Throws `config`, `unreachable`.
 */
export async function allowPublicRead(url: string): Promise<void> {
  const location = parseBucketUrl(url);
  return (await administration()).allowPublicRead(location);
}

/** Whether anybody can read objects there: an object is written, asked for without credentials, and deleted. */
export async function isPubliclyReadable(url: string): Promise<boolean> {
  const location = parseBucketUrl(url);
  return (await administration()).isPubliclyReadable(location);
}

/** The URL where anonymous readers find the objects of a bucket store; ends with a slash. */
export async function publicUrl(url: string): Promise<string> {
  const location = parseBucketUrl(url);
  return (await administration()).publicUrl(location);
}

/**
 * A hint that objects were created below `prefix`, a prefix of keys in the store: `onEvent` is called some time
 * afterwards, or never. Only `minio:` stores have events. Never throws and never ends the process; connects again until
 * `stop()`. The events of MinIO come late, four at a time: whoever needs them must ask as well.
 */
export function listenForObjects(url: string, prefix: string, onEvent: () => void): { stop(): void } {
  if (!isBucketUrl(url)) return { stop() {} };
  return listenToBucket(parseBucketUrl(url), prefix, onEvent);
}
