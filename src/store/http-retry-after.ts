/** Longer waits than this are the operator's business, not a retry loop's. */
const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;

/** Retry-After (RFC 9110 §10.2.3), seconds or a date, in ms from `now`, at most an hour; undefined if it is neither. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) {
    return undefined;
  }
  const value = header.trim();
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : parseDate(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}

/** The three date formats of HTTP all begin with the name of a day; Date.parse alone would take `5` or `1.5`, too. */
function parseDate(value: string): number {
  return /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(value) ? Date.parse(value) : Number.NaN;
}
