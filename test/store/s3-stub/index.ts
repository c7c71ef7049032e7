/**
 * An S3 server in this process, for tests only: path style, any signature of its one access key, everything in memory.
 * It behaves as AWS, MinIO and versitygw have in common, counts what it is asked, and misbehaves when it is told to.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Faults, type Kind, type Rule } from './faults.ts';
import {
  type Bucket,
  errorXml,
  isPublic,
  type Kept,
  listPage,
  NO_SUCH_BUCKET,
  NO_SUCH_KEY,
  putObject,
  type Refusal,
} from './objects.ts';

export type { Kind, Misdeed, Rule } from './faults.ts';

const ACCESS_KEY = 'stub';
const SECRET_KEY = 'stub-secret';

export interface Asked {
  readonly kind: Kind;
  /** In the bucket; of a list, its prefix. */
  readonly key: string;
}

export interface S3Stub {
  readonly endpoint: string;
  /** A `minio:` URL of `bucket/prefix`, whose bucket is made. */
  storeUrl(path: string): string;
  /** Every request since the last `reset`, in the order in which they came. */
  readonly asked: readonly Asked[];
  /** How many requests there were, by kind. */
  readonly counts: Readonly<Record<Kind, number>>;
  /** Most connections that were open at a time. */
  readonly connections: number;
  /** Forgets what was asked, and every rule. */
  reset(): void;
  misbehave(rule: Rule): void;
  /** The keys of a bucket. */
  keys(bucket: string): string[];
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** Starts one. Its credentials are put into this process's environment where there are none for MinIO. */
export async function startS3Stub({ pageSize = 1_000 }: { readonly pageSize?: number } = {}): Promise<S3Stub> {
  process.env['MINIO_ACCESS_KEY'] ??= ACCESS_KEY;
  process.env['MINIO_SECRET_KEY'] ??= SECRET_KEY;
  const buckets = new Map<string, Bucket>();
  const deleted = new Set<string>();
  const faults = new Faults();
  let stale: Map<string, Map<string, Kept>> | undefined;
  const asked: Asked[] = [];
  let connections = 0;

  function work(kind: Kind, name: string, key: string, request: IncomingMessage, query: URLSearchParams, body: Buffer) {
    const bucket = buckets.get(name);
    if (kind === 'BUCKET') return bucketWork(name, bucket, request.method ?? '', query, body);
    if (bucket === undefined) return refused(NO_SUCH_BUCKET, name);
    const object = bucket.objects.get(key);
    switch (kind) {
      case 'LIST': {
        const lags = faults.take(kind, query.get('prefix') ?? '', ['stale-list']) !== undefined;
        const objects = (lags && stale?.get(name)) || bucket.objects;
        const plain = faults.take(kind, query.get('prefix') ?? '', ['plain-list']) !== undefined;
        const size = Math.min(pageSize, Number(query.get('max-keys') ?? pageSize));
        return xml(listPage(name, objects, query, size, plain));
      }
      case 'GET': {
        if (object === undefined) return refused(NO_SUCH_KEY, key);
        const weak = faults.take(kind, key, ['weaken-version']) === undefined ? '' : 'W/';
        return { status: 200, headers: { ...object.headers, etag: weak + object.etag }, body: object.bytes };
      }
      case 'DELETE':
        bucket.objects.delete(key);
        deleted.add(`${name}/${key}`);
        return { status: 204 };
      case 'PUT': {
        const ignore = faults.take(kind, key, ['ignore-conditions']) !== undefined;
        const conditions = {
          ifNoneMatch: ignore ? undefined : header(request, 'if-none-match'),
          ifMatch: ignore ? undefined : header(request, 'if-match'),
        };
        const remembered = deleted.has(`${name}/${key}`) && conditions.ifNoneMatch === '*';
        if (remembered && faults.take(kind, key, ['remember-deleted'])) {
          return refused({ status: 412, code: 'PreconditionFailed' }, key);
        }
        const headers = {
          'content-type': header(request, 'content-type') ?? 'binary/octet-stream',
          ...optional('cache-control', header(request, 'cache-control')),
        };
        const put = putObject(bucket, key, body, headers, conditions);
        return 'status' in put ? refused(put, key) : { status: 200, headers: { etag: put.etag } };
      }
    }
  }

  function bucketWork(
    name: string,
    bucket: Bucket | undefined,
    method: string,
    query: URLSearchParams,
    body: Buffer,
  ): Answer {
    if (query.has('policy')) {
      if (bucket === undefined) return refused(NO_SUCH_BUCKET, name);
      if (method === 'PUT') bucket.policy = body.toString();
      else if (bucket.policy === undefined) return refused({ status: 404, code: 'NoSuchBucketPolicy' }, name);
      else return { status: 200, body: bucket.policy };
      return { status: 204 };
    }
    if (query.has('events')) return refused({ status: 501, code: 'NotImplemented' }, name);
    if (method === 'PUT') {
      if (bucket !== undefined) return refused({ status: 409, code: 'BucketAlreadyOwnedByYou' }, name);
      buckets.set(name, { objects: new Map(), policy: undefined });
      return { status: 200 };
    }
    return bucket === undefined ? refused(NO_SUCH_BUCKET, name) : { status: 200 };
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stub');
    const [name = '', ...rest] = url.pathname.slice(1).split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const kind = kindOf(request.method ?? '', key, url.searchParams);
    const place = kind === 'LIST' ? (url.searchParams.get('prefix') ?? '') : key;
    asked.push({ kind, key: place });
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const before = faults.take(kind, place, ['delay', 'refuse', 'cut-request']);
    if (before?.do === 'delay') await setTimeout(before.ms, undefined, { ref: false });
    if (before?.do === 'cut-request') return void request.socket.destroy();
    let answer: Answer;
    if (before?.do === 'refuse') {
      const { status = 503, code = 'SlowDown', retryAfterS } = before;
      answer = refused({ status, code }, key, optional('retry-after', retryAfterS?.toString()));
    } else if (mayNot(request, url.searchParams, kind, name, key)) {
      answer = refused({ status: 403, code: 'AccessDenied' }, key);
    } else {
      answer = work(kind, name, key, request, url.searchParams, Buffer.concat(chunks));
    }
    const deeds = ['drop-answer', 'delay-answer', 'lie-500', 'cut-body'] as const;
    const after = before?.do === 'refuse' ? undefined : faults.take(kind, place, deeds);
    if (after?.do === 'drop-answer') return void request.socket.destroy();
    if (after?.do === 'delay-answer') await setTimeout(after.ms, undefined, { ref: false });
    if (after?.do === 'lie-500') answer = refused({ status: 500, code: 'InternalError' }, key);
    const body = Buffer.from(answer.body ?? '');
    response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
    if (after?.do === 'cut-body') {
      response.write(body.subarray(0, Math.floor(body.length / 2)), () => request.socket.destroy());
    } else {
      response.end(request.method === 'HEAD' ? undefined : body);
    }
  }

  function mayNot(request: IncomingMessage, query: URLSearchParams, kind: Kind, name: string, key: string): boolean {
    const signed = request.headers.authorization ?? query.get('X-Amz-Credential') ?? undefined;
    if (signed !== undefined) return !signed.includes(`${process.env['MINIO_ACCESS_KEY']}/`);
    const bucket = buckets.get(name);
    return kind !== 'GET' || bucket === undefined || !isPublic(bucket, name, key);
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error) => response.destroy(error));
  });
  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    connections = Math.max(connections, open);
    socket.on('close', () => (open -= 1));
    socket.on('error', () => {}); // clients go away as they like
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    endpoint: `http://127.0.0.1:${port}`,
    storeUrl(path) {
      const name = path.split('/')[0] ?? '';
      if (!buckets.has(name)) buckets.set(name, { objects: new Map(), policy: undefined });
      return `minio://127.0.0.1:${port}/${path}`;
    },
    asked,
    get counts() {
      const counts: Record<Kind, number> = { GET: 0, PUT: 0, DELETE: 0, LIST: 0, BUCKET: 0 };
      for (const { kind } of asked) counts[kind] += 1;
      return counts;
    },
    get connections() {
      return connections;
    },
    reset() {
      asked.length = 0;
      connections = open;
      faults.clear();
      deleted.clear();
    },
    misbehave(rule) {
      if (rule.do === 'stale-list') {
        stale = new Map([...buckets].map(([name, { objects }]) => [name, new Map(objects)]));
      }
      faults.add(rule);
    },
    keys: (name) => [...(buckets.get(name)?.objects.keys() ?? [])].sort(),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function kindOf(method: string, key: string, query: URLSearchParams): Kind {
  if (key !== '') return method === 'PUT' || method === 'DELETE' ? method : 'GET';
  return method === 'GET' && query.get('list-type') === '2' ? 'LIST' : 'BUCKET';
}

function refused(refusal: Refusal, resource: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { ...xml(errorXml(refusal, resource), headers), status: refusal.status };
}

function xml(body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { ...headers, 'content-type': 'application/xml' }, body };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function optional(name: string, value: string | undefined): Record<string, string> {
  return value === undefined ? {} : { [name]: value };
}
