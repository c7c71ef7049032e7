import { realpathSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { SteleError } from '../errors.ts';
import { type DirectoryOptions, openDirectory, openReadableDirectory } from './directory.ts';
import { nodeFs, withBlockingReads } from './directory-fs.ts';
import { type HttpOptions, openHttp } from './http.ts';
import { openMemory } from './memory.ts';
import { makeRoot, unusable } from './root.ts';
import type { BucketOptions } from './s3.ts';
import { parseBucketUrl } from './s3-url.ts';
import { sweepTemporaryFolder } from './temporaries.ts';
import type { ObjectStore, ReadableStore } from './types.ts';

/** Each kind of store takes from these what concerns it. */
export interface OpenOptions extends Omit<DirectoryOptions, 'fs'>, BucketOptions {}

/** Each kind of store takes from these what concerns it. */
export interface OpenReadableOptions extends HttpOptions, BucketOptions {
  /** A directory is read with calls that hold up this thread; for threads that do nothing else. */
  readonly blocking?: boolean;
}

const WRITABLE = 'file:///absolute/folder, mem:NAME, s3://bucket/prefix and minio://host:port/bucket/prefix';
const READABLE = `${WRITABLE}, https://… and http://…`;

/**
 * Opens a store for writing, by its URL. A directory is made if it is not there; its writer must hold the lock
 * (`lockDirectory`) and then sweeps it (`sweepTemporaries`). Throws `config`.
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<ObjectStore> {
  switch (schemeOf(url)) {
    case 'file':
      return openDirectory(await makeRoot(folderOf(url)), options);
    case 'mem':
      return openMemory(memoryName(url));
    case 's3':
    case 'minio':
      return openBucketByUrl(url, options);
    case 'http':
    case 'https':
      throw new SteleError('config', `${url} can be read but not written; stores to write to are ${WRITABLE}`);
    default:
      throw unsupported(url, WRITABLE);
  }
}

/** Opens a store for reading, by its URL. Throws `config`; whether a server is there shows when it is asked. */
export function openReadableStore(url: string, options: OpenReadableOptions = {}): ReadableStore {
  switch (schemeOf(url)) {
    case 'file':
      return openReadableDirectory(
        existingFolder(folderOf(url)),
        options.blocking === true ? withBlockingReads(nodeFs) : nodeFs,
      );
    case 'mem':
      return openMemory(memoryName(url));
    case 's3':
    case 'minio':
      return openBucketOnDemand(url, options);
    case 'http':
    case 'https':
      return openHttp(url, options);
    default:
      throw unsupported(url, READABLE);
  }
}

/** Removes what crashed writers left unfinished in a store; returns how much. For the holder of the lock only. */
export async function sweepTemporaries(url: string): Promise<number> {
  return schemeOf(url) === 'file' ? sweepTemporaryFolder(existingFolder(folderOf(url))) : 0;
}

/** The URL of a folder, which may be relative to the working directory: `public` gives `file:///srv/log/public`. */
export function directoryUrl(path: string): string {
  return pathToFileURL(resolve(path)).href;
}

function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase() ?? '';
}

/** The SDK takes a third of a second to load: whoever works on folders does not wait for it. */
async function openBucketByUrl(url: string, options: BucketOptions): Promise<ObjectStore> {
  const location = parseBucketUrl(url);
  const { openBucket } = await import('./s3.ts');
  return openBucket(location, options);
}

/** Reading begins with the first `get`; what is wrong with the URL is told at once. */
function openBucketOnDemand(url: string, options: BucketOptions): ReadableStore {
  const location = parseBucketUrl(url);
  let opening: Promise<ReadableStore> | undefined;
  return {
    url: location.url,
    async get(key, wanted) {
      opening ??= openBucketByUrl(url, options);
      return (await opening).get(key, wanted);
    },
  };
}

/** `file:` URLs as people write them: with or without percent-encoding, but always with an absolute path. */
function folderOf(url: string): string {
  const rest = url.slice('file:'.length).replace(/^\/\/localhost\//i, '///');
  if (!/^\/($|[^/])|^\/\/\//.test(rest)) {
    throw new SteleError('config', `${url} does not name an absolute folder: write file:///absolute/folder`);
  }
  if (/[?#]/.test(rest)) {
    throw new SteleError('config', `${url} has a ? or # in it: write %3F or %23 where a folder's name has one`);
  }
  try {
    return fileURLToPath(`file:${rest}`);
  } catch (error) {
    throw new SteleError('config', `${url} is not a file: URL (write %25 for a percent sign): ${String(error)}`, {
      cause: error,
    });
  }
}

function existingFolder(path: string): string {
  try {
    const real = realpathSync(path);
    if (!statSync(real).isDirectory()) {
      throw new Error('ENOTDIR: it is not a folder');
    }
    return real;
  } catch (error) {
    throw unusable(path, error);
  }
}

function memoryName(url: string): string {
  const name = url.slice('mem:'.length);
  if (name === '') {
    throw new SteleError('config', 'mem: wants a name, such as mem:test; two openings of one name share their objects');
  }
  return name;
}

function unsupported(url: string, supported: string): SteleError {
  const hint = schemeOf(url) === '' ? ' (a folder is written as a URL, too: file:///absolute/folder)' : '';
  return new SteleError('config', `${url} is not a store that can be opened; supported are ${supported}${hint}`);
}
