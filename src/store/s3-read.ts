import { Readable } from 'node:stream';
import { GetObjectCommand, ListObjectsV2Command, type ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';
import { DEFAULT_MAX_BODY_BYTES } from './http.ts';
import { compareKeys, parseKey, parsePrefix } from './keys.ts';
import { readFailure } from './s3-errors.ts';
import { askOnce, type Bucket, isAbsence, placeOf } from './s3-request.ts';
import { tryAgain } from './s3-retry.ts';
import type { GetOptions, ListedObject, StoredObject } from './types.ts';

/** As `ReadableStore.get`, tried a few times; also `config` where the bucket or the credentials are wrong. */
export async function getObject(
  bucket: Bucket,
  key: string,
  { maxBytes = DEFAULT_MAX_BODY_BYTES, signal }: GetOptions = {},
): Promise<StoredObject | undefined> {
  const place = placeOf(bucket, key);
  const doing = `reading ${key} in ${bucket.location.url}`;
  return tryAgain(bucket.retries, signal, async () => {
    try {
      return await askOnce(bucket, doing, signal, async (abortSignal) => {
        const {
          Body,
          ContentLength,
          ETag = '',
        } = await bucket.client.send(new GetObjectCommand(place), { abortSignal });
        const bytes = await readBody(Body, ContentLength, maxBytes, abortSignal, doing);
        return { bytes, etag: ETag };
      });
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw readFailure(error, doing);
    }
  });
}

/** Straight into one buffer of the declared length, so that an object is in memory once. */
async function readBody(
  body: unknown,
  declared: number | undefined,
  maxBytes: number,
  signal: AbortSignal,
  doing: string,
): Promise<Uint8Array> {
  if (!(body instanceof Readable)) throw new UnreachableError(`${doing}: the answer has no body`);
  const giveUp = (): void => void body.destroy();
  signal.addEventListener('abort', giveUp);
  try {
    if (declared === undefined || declared > maxBytes) {
      throw declared === undefined ? new UnreachableError(`${doing}: no Content-Length`) : tooLong(doing, maxBytes);
    }
    const bytes = new Uint8Array(declared);
    let length = 0;
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      if (length + chunk.length > declared) throw new UnreachableError(`${doing}: more came than was declared`);
      bytes.set(chunk, length);
      length += chunk.length;
    }
    if (length !== declared || signal.aborted) {
      throw new UnreachableError(`${doing}: cut short, ${length} of ${declared} bytes came`);
    }
    return bytes;
  } finally {
    signal.removeEventListener('abort', giveUp);
    body.destroy();
  }
}

function tooLong(doing: string, maxBytes: number): SteleError {
  return new SteleError('limit', `${doing}: it has more than the ${maxBytes} bytes that were expected`);
}

/** What XML cannot say is said like this by servers that do not encode names. */
const UNSPELLABLE = '\ufffd';

/** As `ObjectStore.list`; also `config`, and `corrupt` where the server breaks the order that readers rely on. */
export async function* listObjects(bucket: Bucket, wanted: string): AsyncGenerator<ListedObject> {
  parsePrefix(wanted);
  const { url, prefix } = bucket.location;
  const doing = `listing ${wanted || 'everything'} in ${url}`;
  let last: string | undefined;
  let token: string | undefined;
  do {
    const page = await listPage(bucket, prefix + wanted, token, doing);
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      const whole = page.EncodingType === 'url' ? decodedKey(Key) : Key;
      // Consoles mark folders with objects whose key ends in a slash; nothing that is no key is an object of ours. Who may
      // write can choose such names, and they may come in no order, for some servers cannot spell them: they stop nobody.
      if (whole === undefined || !isKey(whole) || whole.includes(UNSPELLABLE)) continue;
      if (!whole.startsWith(prefix + wanted) || (last !== undefined && compareKeys(last, whole) >= 0)) {
        throw new SteleError(
          'corrupt',
          `${doing}: the server lists ${JSON.stringify(whole)} behind ${JSON.stringify(last)}; lists must be complete and in order`,
        );
      }
      last = whole;
      yield { key: whole.slice(prefix.length), size: Size, modified: LastModified?.getTime() ?? 0 };
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined;
    if (page.IsTruncated && token === undefined) throw new UnreachableError(`${doing}: the list ends in the middle`);
  } while (token !== undefined);
}

function listPage(
  bucket: Bucket,
  prefix: string,
  token: string | undefined,
  doing: string,
): Promise<ListObjectsV2CommandOutput> {
  const command = {
    Bucket: bucket.location.bucket,
    Prefix: prefix,
    EncodingType: 'url' as const,
    ...(token && { ContinuationToken: token }),
  };
  return tryAgain(bucket.retries, undefined, async () => {
    try {
      return await askOnce(bucket, doing, undefined, (abortSignal) =>
        bucket.client.send(new ListObjectsV2Command(command), { abortSignal }),
      );
    } catch (error) {
      throw readFailure(error, doing);
    }
  });
}

/** As in forms: AWS and MinIO write a space as `+`. Undefined: not UTF-8. */
function decodedKey(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

function isKey(key: string): boolean {
  try {
    parseKey(key);
    return true;
  } catch {
    return false;
  }
}
