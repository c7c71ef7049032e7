import {
  CreateBucketCommand,
  DeletePublicAccessBlockCommand,
  GetBucketPolicyCommand,
  HeadBucketCommand,
  PutBucketPolicyCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';
import { metaFor } from './meta.ts';
import { openBucket } from './s3.ts';
import { makeClient } from './s3-client.ts';
import { codeOf, readFailure, statusOf } from './s3-errors.ts';
import type { BucketLocation } from './s3-url.ts';

const TIMEOUT_MS = 30_000;

/** See buckets.ts. */
export async function ensureBucket(location: BucketLocation): Promise<'made' | 'found'> {
  const Bucket = location.bucket;
  return withClient(location, `making the bucket of ${location.url}`, async (client, options) => {
    try {
      await client.send(new HeadBucketCommand({ Bucket }), options);
      return 'found';
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
    }
    try {
      const region = await client.config.region();
      // us-east-1 is what AWS takes for none, and refuses to hear.
      const elsewhere = location.endpoint === undefined && region !== 'us-east-1';
      const where = elsewhere ? { CreateBucketConfiguration: { LocationConstraint: region as never } } : {};
      await client.send(new CreateBucketCommand({ Bucket, ...where }), options);
      return 'made';
    } catch (error) {
      switch (codeOf(error)) {
        case 'BucketAlreadyOwnedByYou':
          return 'found'; // another one made it meanwhile
        case 'BucketAlreadyExists':
          throw new SteleError('config', `the name ${Bucket} is taken by somebody else's bucket: choose another one`, {
            cause: error,
          });
        default:
          throw error;
      }
    }
  });
}

interface Policy {
  readonly Version: string;
  readonly Statement: readonly { readonly Sid?: string }[];
}

/** See buckets.ts. */
export async function allowPublicRead(location: BucketLocation): Promise<void> {
  const { bucket: Bucket, prefix } = location;
  if (/[*?$]/.test(prefix)) {
    throw new SteleError(
      'config',
      `${location.url}: a policy takes *, ? and $ for patterns, which would open more than this`,
    );
  }
  const Sid = `SteleRead${Buffer.from(prefix).toString('hex')}`;
  await withClient(location, `letting everyone read ${location.url}`, async (client, options) => {
    if (location.endpoint === undefined) await client.send(new DeletePublicAccessBlockCommand({ Bucket }), options);
    const { Statement, ...rest } = await policyOf(client, Bucket, options);
    const ours = {
      Sid,
      Effect: 'Allow',
      Principal: { AWS: ['*'] },
      Action: ['s3:GetObject'],
      Resource: [`arn:aws:s3:::${Bucket}/${prefix}*`],
    };
    const policy: Policy = { ...rest, Statement: [...Statement.filter((statement) => statement.Sid !== Sid), ours] };
    await client.send(new PutBucketPolicyCommand({ Bucket, Policy: JSON.stringify(policy) }), options);
  });
}

async function policyOf(client: S3Client, Bucket: string, options: RequestOptions): Promise<Policy> {
  try {
    const { Policy: text = '{}' } = await client.send(new GetBucketPolicyCommand({ Bucket }), options);
    const { Version = '2012-10-17', Statement = [], ...rest } = JSON.parse(text);
    return { ...rest, Version, Statement: [Statement].flat() };
  } catch (error) {
    if (codeOf(error) === 'NoSuchBucketPolicy') return { Version: '2012-10-17', Statement: [] };
    throw error;
  }
}

/** See buckets.ts. */
export async function isPubliclyReadable(location: BucketLocation): Promise<boolean> {
  const key = `probe/${crypto.randomUUID()}`;
  const url = `${await publicUrl(location)}${key}`;
  const store = openBucket(location);
  try {
    const text = crypto.randomUUID();
    await store.create(key, new TextEncoder().encode(text), metaFor(key));
    const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((cause: unknown) => {
      throw new UnreachableError(`${url} cannot be asked for as everyone would`, { cause });
    });
    const readable = answer.ok && (await answer.text()) === text;
    // Of a server that is busy nobody knows what it would have said.
    if (answer.status >= 500 || answer.status === 429) {
      throw new UnreachableError(`${url} cannot be asked for as everyone would: ${answer.status}`);
    }
    return readable;
  } finally {
    await store.delete(key);
    await store.close();
  }
}

/** See buckets.ts. */
export async function publicUrl(location: BucketLocation): Promise<string> {
  const { bucket, prefix, pathStyle } = location;
  const server = new URL(location.endpoint ?? `https://s3.${await regionOf(location)}.amazonaws.com`);
  if (!pathStyle) server.hostname = `${bucket}.${server.hostname}`;
  const path = pathStyle ? `${bucket}/${prefix}` : prefix;
  return `${server.origin}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

async function regionOf(location: BucketLocation): Promise<string> {
  return (
    location.region ?? withClient(location, `finding the region of ${location.url}`, (client) => client.config.region())
  );
}

interface RequestOptions {
  readonly abortSignal: AbortSignal;
}

/** Errors are told as those of a read are: setting up is done by hand, and once more where it failed. */
async function withClient<T>(
  location: BucketLocation,
  doing: string,
  work: (client: S3Client, options: RequestOptions) => Promise<T>,
): Promise<T> {
  const client = makeClient(location);
  try {
    return await work(client, { abortSignal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw readFailure(error, doing);
  } finally {
    client.destroy();
  }
}
