/** What the stub keeps: buckets of objects in memory, with the semantics that real servers have in common. */

import { createHash } from 'node:crypto';

export interface Kept {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modified: Date;
}

export interface Bucket {
  readonly objects: Map<string, Kept>;
  policy: string | undefined;
}

/** What the stub says of a request that it refuses. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
}

export const NO_SUCH_KEY: Refusal = { status: 404, code: 'NoSuchKey' };
export const NO_SUCH_BUCKET: Refusal = { status: 404, code: 'NoSuchBucket' };
const PRECONDITION_FAILED: Refusal = { status: 412, code: 'PreconditionFailed' };

export interface Conditions {
  readonly ifNoneMatch: string | undefined;
  readonly ifMatch: string | undefined;
}

/** Puts an object where the conditions hold; a refusal, or the object. */
export function putObject(
  bucket: Bucket,
  key: string,
  bytes: Uint8Array,
  headers: Kept['headers'],
  { ifNoneMatch, ifMatch }: Conditions,
): Refusal | Kept {
  const present = bucket.objects.get(key);
  if (ifNoneMatch === '*' && present !== undefined) return PRECONDITION_FAILED;
  if (ifMatch !== undefined && present === undefined) return NO_SUCH_KEY;
  if (ifMatch !== undefined && present?.etag !== ifMatch) return PRECONDITION_FAILED;
  const kept: Kept = {
    bytes,
    headers,
    etag: `"${createHash('md5').update(bytes).digest('hex')}"`,
    modified: new Date(),
  };
  bucket.objects.set(key, kept);
  return kept;
}

/** One page of a list, as XML. Tokens are the last key of the page before. */
export function listPage(
  name: string,
  objects: ReadonlyMap<string, Kept>,
  query: URLSearchParams,
  pageSize: number,
  plain: boolean,
): string {
  const isEncoded = query.get('encoding-type') === 'url' && !plain;
  const spell = (key: string): string => (isEncoded ? encodeKey(key) : escapeXml(key.replace(UNSPELLABLE, '\ufffd')));
  const prefix = query.get('prefix') ?? '';
  const token = query.get('continuation-token');
  const after = token === null ? undefined : Buffer.from(token, 'base64url');
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(prefix) && (after === undefined || Buffer.compare(Buffer.from(key), after) > 0))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const page = keys.slice(0, pageSize);
  const next = keys.length > page.length ? Buffer.from(page.at(-1) ?? '').toString('base64url') : undefined;
  const contents = page.map((key) => {
    const { etag, bytes, modified } = objects.get(key) ?? { etag: '', bytes: [], modified: new Date() };
    return `<Contents><Key>${spell(key)}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>${escapeXml(etag)}</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
  });
  const more = next === undefined ? '' : `<NextContinuationToken>${next}</NextContinuationToken>`;
  return `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>${name}</Name><Prefix>${spell(prefix)}</Prefix>${isEncoded ? '<EncodingType>url</EncodingType>' : ''}<KeyCount>${page.length}</KeyCount><MaxKeys>${pageSize}</MaxKeys><IsTruncated>${next !== undefined}</IsTruncated>${more}${contents.join('')}</ListBucketResult>`;
}

export function errorXml({ code }: Refusal, resource: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${code} (stub)</Message><Resource>${escapeXml(resource)}</Resource></Error>`;
}

/** Whether the bucket's policy lets anybody GET the key. */
export function isPublic({ policy }: Bucket, bucket: string, key: string): boolean {
  if (policy === undefined) return false;
  const { Statement = [] } = JSON.parse(policy) as { Statement?: { Effect: string; Resource: string | string[] }[] };
  return Statement.some(
    ({ Effect, Resource }) =>
      Effect === 'Allow' &&
      [Resource].flat().some((resource) => `arn:aws:s3:::${bucket}/${key}`.startsWith(resource.replace(/\*$/, ''))),
  );
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what XML cannot say
const UNSPELLABLE = /[\x00-\x08\x0b\x0c\x0e-\x1f]/g;

/** As AWS and MinIO do: like a form, but for slashes. */
function encodeKey(key: string): string {
  return encodeURIComponent(key).replaceAll('%2F', '/').replaceAll('%20', '+');
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
