import { SteleError } from '../errors.ts';
import { throwIfAborted, UnreachableError } from './errors.ts';
import { readBody, skipBody } from './http-body.ts';
import { parseRetryAfter } from './http-retry-after.ts';
import { parseKey } from './keys.ts';
import { storedObject } from './object.ts';
import type { GetOptions, ReadableStore, StoredObject } from './types.ts';

export interface HttpOptions {
  /** For one request, its redirects and its body. */
  readonly requestTimeoutMs?: number;
}

/** A bundle of 256 entries of 64 KiB takes 16 MiB: enough at 5 Mbit/s, and a hanging server is noticed. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;

/** Where `get` is not told what to expect; the largest object of a log, a bundle, has 16 MiB. */
export const DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024;

const MAX_REDIRECTS = 5;

/** Content codings that every fetch undoes; we ask for gzip only, but browsers ask for what they like. */
const CODINGS = new Set(['', 'identity', 'gzip', 'x-gzip', 'deflate', 'br', 'zstd']);

/**
 * The log at a URL, for reading, wherever there is a `fetch`. A body is what the server sent, decoded: whether it is
 * what the log's signed checkpoint commits to (and not an error page with status 200) is for the caller to verify.
 *
 * Nothing is tried twice here. Whatever may pass is `unreachable`, with `retryAfterMs` if the server said when.
 */
export function openHttp(url: string, options: HttpOptions = {}): ReadableStore {
  const base = parseBase(url);
  const timeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  return {
    url: base,
    async get(key, { maxBytes = DEFAULT_MAX_BODY_BYTES, signal }: GetOptions = {}) {
      const target = base + parseKey(key).map(encodeURIComponent).join('/');
      throwIfAborted(signal, `reading ${target}`);
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
        return await answerOf(await request(target, either), target, maxBytes);
      } catch (error) {
        throwIfAborted(signal, `reading ${target}`);
        if (error instanceof SteleError) {
          throw error;
        }
        const reason = timeout.aborted ? `no answer within ${timeoutMs} ms` : causesOf(error);
        throw new UnreachableError(`cannot read ${target}: ${reason}`, { cause: error });
      }
    },
  };
}

function parseBase(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || !isHttp(parsed)) {
    throw new SteleError('config', `${url} is not the URL of a log: https://… or http://… is`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new SteleError(
      'config',
      `the URL of ${parsed.host} has a user or a password in it; logs are public: leave it out`,
    );
  }
  if (parsed.search !== '' || parsed.hash !== '') {
    throw new SteleError('config', `${url} has a ? or # in it; the paths of a log's objects are put behind its URL`);
  }
  return parsed.href.endsWith('/') ? parsed.href : `${parsed.href}/`;
}

function isHttp(url: URL): boolean {
  return url.protocol === 'https:' || url.protocol === 'http:';
}

/** Follows redirects one by one where it may see them (Node); browsers follow theirs, bounded, to http(s) only. */
async function request(target: string, signal: AbortSignal): Promise<Response> {
  const init: RequestInit = {
    signal,
    headers: { 'accept-encoding': 'gzip, identity' },
    credentials: 'omit',
    referrerPolicy: 'no-referrer',
  };
  let url = target;
  for (let redirects = 0; ; redirects++) {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    if (response.type === 'opaqueredirect') {
      return fetch(url, { ...init, redirect: 'follow' });
    }
    const location = response.headers.get('location');
    if (![301, 302, 303, 307, 308].includes(response.status) || location === null) {
      return response;
    }
    await skipBody(response);
    if (redirects === MAX_REDIRECTS) {
      throw new UnreachableError(`${target} redirects more than ${MAX_REDIRECTS} times, at last to ${location}`);
    }
    if (!URL.canParse(location, url) || !isHttp(new URL(location, url))) {
      throw new UnreachableError(`${target} redirects to ${location}, which is not http or https; not followed`);
    }
    url = new URL(location, url).href;
  }
}

async function answerOf(response: Response, target: string, maxBytes: number): Promise<StoredObject | undefined> {
  if (response.status === 200) {
    const coding = response.headers.get('content-encoding')?.trim().toLowerCase() ?? '';
    if (!CODINGS.has(coding)) {
      await skipBody(response);
      throw new UnreachableError(`${target} is encoded as ${coding}, which was not asked for`);
    }
    // The version is the content's: a server's ETag may stand for a size and a second, in which a checkpoint can change.
    return storedObject(await readBody(response, coding, target, maxBytes));
  }
  await skipBody(response);
  if (response.status === 404 || response.status === 410) {
    return undefined;
  }
  const hint =
    response.status === 401 || response.status === 403
      ? '; a log is public, and a bucket says this of absent objects, too, unless it may be listed'
      : '';
  throw new UnreachableError(`${target} answered ${`${response.status} ${response.statusText}`.trim()}${hint}`, {
    retryAfterMs: parseRetryAfter(response.headers.get('retry-after'), Date.now()),
  });
}

/** `fetch failed: connect ECONNREFUSED 127.0.0.1:80`: what fetch says alone tells nobody anything. */
function causesOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  const said = error.message === '' ? code : error.message;
  return error.cause === undefined ? said : `${said}: ${causesOf(error.cause)}`;
}
