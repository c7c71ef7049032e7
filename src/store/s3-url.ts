/**
 * The URLs of buckets: `s3://bucket/prefix?region=…&endpoint=…` and `minio://host:port/bucket/prefix?tls=true`.
 *
 * Loads nothing of the SDK. What is wrong is refused by naming it; parameters are named without their value and URLs
 * without their query, for a secret may be in them.
 */

import { SteleError } from '../errors.ts';
import { parseKey } from './keys.ts';

/** Where the objects of a bucket store are, and how to get there. */
export interface BucketLocation {
  readonly scheme: 's3' | 'minio';
  /** As `openStore` takes it, without secrets. */
  readonly url: string;
  readonly bucket: string;
  /** What the keys of the bucket begin with: empty, or ending in a slash. */
  readonly prefix: string;
  /** Undefined: as the SDK's own configuration says. */
  readonly region: string | undefined;
  /** `https://host:port`; undefined: AWS. */
  readonly endpoint: string | undefined;
  /** `https://host/bucket/key` instead of `https://bucket.host/key`. */
  readonly pathStyle: boolean;
  /** How many objects `createAll` writes at a time. */
  readonly concurrency: number;
}

/** At 20 ms a request that is 1,600 objects a second. */
const DEFAULT_CONCURRENCY = 32;
const MAX_CONCURRENCY = 512;

/** What servers that have no regions expect to be signed for. */
const USUAL_REGION = 'us-east-1';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
const BUCKET = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?=[a-z0-9])){1,61}[a-z0-9]$/;
const REGION = /^[a-z0-9][a-z0-9-]{0,62}$/i;

export function isBucketUrl(url: string): boolean {
  return /^(s3|minio):/i.test(url);
}

/** Throws `config` for whatever is not exactly the URL of a bucket. */
export function parseBucketUrl(url: string): BucketLocation {
  // A secret may have slashes and question marks in it, so all before the last @ goes first.
  const plain = url.replace(/^([a-z0-9]+:\/*).*@/is, '$1…@').replace(/[?#].*$/s, '');
  const refuse = (why: string): SteleError => new SteleError('config', `${plain} is not the URL of a bucket: ${why}`);
  const parsed = isBucketUrl(url) && URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !/^[a-z0-9]+:\/\/[^/]/i.test(url)) {
    throw refuse('write s3://bucket/prefix?region=… or minio://host:port/bucket/prefix');
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw refuse('it has a user or a password in it; credentials come from the environment');
  }
  if (parsed.hash !== '') throw refuse('it has a # in it: write %23 where a prefix has one');
  const path = partsOf(parsed.pathname, refuse);
  return parsed.protocol === 's3:' ? parseS3(parsed, path, refuse) : parseMinio(parsed, path, refuse);
}

type Refuse = (why: string) => SteleError;

function parseS3(url: URL, path: readonly string[], refuse: Refuse): BucketLocation {
  const parameters = parametersOf(url, ['region', 'endpoint', 'pathStyle', 'concurrency'], refuse);
  if (url.port !== '') throw refuse('it has a port; the server is named by endpoint=https://host:port');
  const endpoint = endpointOf(parameters.get('endpoint'), refuse);
  return locationOf(url, parameters, [url.hostname, ...path], refuse, {
    scheme: 's3',
    endpoint,
    // A certificate for *.host does not cover names with dots.
    pathStyle: booleanOf('pathStyle', parameters, endpoint !== undefined || url.hostname.includes('.'), refuse),
  });
}

function parseMinio(url: URL, path: readonly string[], refuse: Refuse): BucketLocation {
  const parameters = parametersOf(url, ['tls', 'region', 'concurrency'], refuse);
  const tls = booleanOf('tls', parameters, false, refuse);
  const endpoint = endpointOf(`${tls ? 'https' : 'http'}://${url.host}`, refuse);
  return locationOf(url, parameters, path, refuse, { scheme: 'minio', endpoint, pathStyle: true });
}

function locationOf(
  url: URL,
  parameters: ReadonlyMap<string, string>,
  [bucket = '', ...parts]: readonly string[],
  refuse: Refuse,
  rest: Pick<BucketLocation, 'scheme' | 'endpoint' | 'pathStyle'>,
): BucketLocation {
  if (!BUCKET.test(bucket)) {
    throw refuse(`${JSON.stringify(bucket)} cannot be the name of a bucket (3 to 63 of a-z, 0-9, hyphen and dot)`);
  }
  const region = parameters.get('region');
  if (region !== undefined && !REGION.test(region)) throw refuse('region is not the name of a region');
  const concurrency = Number(parameters.get('concurrency') ?? DEFAULT_CONCURRENCY);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MAX_CONCURRENCY) {
    throw refuse(`concurrency is not a number from 1 to ${MAX_CONCURRENCY}`);
  }
  return {
    ...rest,
    url: url.href,
    bucket,
    prefix: parts.map((part) => `${part}/`).join(''),
    region: region ?? (rest.endpoint === undefined ? undefined : USUAL_REGION),
    concurrency,
  };
}

function partsOf(pathname: string, refuse: Refuse): string[] {
  const path = pathname.replace(/^\//, '').replace(/\/$/, '');
  if (path === '') return [];
  try {
    return parseKey(decodeURIComponent(path));
  } catch (error) {
    throw refuse(error instanceof SteleError ? error.message : 'write %25 for a percent sign');
  }
}

function parametersOf(url: URL, known: readonly string[], refuse: Refuse): Map<string, string> {
  const parameters = new Map<string, string>();
  for (const [name, value] of url.searchParams) {
    if (!known.includes(name)) {
      throw refuse(`${JSON.stringify(name)} is no parameter of it (${known.join(', ')} are; credentials never are)`);
    }
    if (parameters.has(name) || value === '') throw refuse(`${name} is there twice or is empty`);
    parameters.set(name, value);
  }
  return parameters;
}

function endpointOf(endpoint: string | undefined, refuse: Refuse): string | undefined {
  if (endpoint === undefined) return undefined;
  const parsed = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.href !== `${parsed.origin}/`) {
    throw refuse('the server is not named as http://host:port or https://host, and nothing behind it');
  }
  return parsed.origin;
}

function booleanOf(name: string, parameters: ReadonlyMap<string, string>, otherwise: boolean, refuse: Refuse): boolean {
  const value = parameters.get(name);
  if (value === undefined) return otherwise;
  if (value !== 'true' && value !== 'false') throw refuse(`${name} is neither true nor false`);
  return value === 'true';
}
