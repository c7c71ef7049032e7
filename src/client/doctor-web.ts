/** How an examination asks a web server: like `fetch`, but bounded, and never led elsewhere. */

import type { Clock } from '../clock.ts';
import type { ObjectMeta } from '../store/index.ts';

export interface Asked {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The body, decoded; empty for HEAD. */
  readonly bytes: Uint8Array;
}

/** One request. Redirects are answers, not followed: only what the operator named is fetched. Throws `unreachable`. */
export type Ask = (url: string, asked?: Asked) => Promise<Answer>;

/** A log on the web, as its examiner sees it. */
export interface WebLog {
  /** Where the public store is served, with a final slash. */
  readonly base: string;
  readonly ask: Ask;
  readonly clock: Clock;
  /** 0 ≤ random() < 1: what no cache can have seen yet is named with it. */
  readonly random: () => number;
  /** The headers that an object should be served with. */
  readonly metaFor: (key: string) => ObjectMeta;
}

/** Seconds that a response may be used from a cache without asking; undefined where it does not say. */
export function freshness(headers: Headers, nowMs: number): number | undefined {
  const control = headers.get('cache-control')?.toLowerCase();
  if (control !== undefined) {
    if (/\bno-(store|cache)\b/.test(control)) return 0;
    // For what stands between, `s-maxage` is the one that counts (RFC 9111 §4.2.1).
    const seconds = /\bs-maxage\s*=\s*"?(\d+)/.exec(control)?.[1] ?? /\bmax-age\s*=\s*"?(\d+)/.exec(control)?.[1];
    if (seconds !== undefined) return Number(seconds);
    if (/\bprivate\b/.test(control)) return 0;
  }
  const expires = headers.get('expires');
  if (expires === null) return undefined;
  const at = Date.parse(expires);
  // What is no date has expired already (RFC 9111 §5.3).
  return Number.isNaN(at) ? 0 : Math.max(0, Math.round((at - nowMs) / 1_000));
}

/** What says that an answer came out of a cache, as `X-Cache: HIT`; undefined where nothing does. */
export function cacheHit(headers: Headers): string | undefined {
  const age = headers.get('age');
  if (age !== null && /^[1-9]\d*$/.test(age.trim())) return `Age: ${age}`;
  for (const name of ['x-cache', 'x-cache-status', 'cf-cache-status', 'x-proxy-cache', 'cache-status']) {
    const value = headers.get(name);
    if (value !== null && /\bhit\b/i.test(value)) return `${name}: ${value}`;
  }
  return undefined;
}

/** The headers that say that a cache or proxy stands before the server. */
export function intermediary(headers: Headers): string | undefined {
  const name = ['via', 'x-cache', 'x-cache-status', 'cf-cache-status', 'x-served-by', 'age'].find((header) =>
    headers.has(header),
  );
  return name === undefined ? undefined : `${name}: ${headers.get(name)}`;
}
