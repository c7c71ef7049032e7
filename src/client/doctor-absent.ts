/**
 * What is not there yet. The next tile is a 404 until it is published; a cache that keeps the 404 hides the tile after
 * that, and readers cannot follow the checkpoint that they just fetched.
 */

import { tilePath } from '../tiles/index.ts';
import { type Finding, ok, problem, unchecked, warning } from './doctor-finding.ts';
import { type Answer, cacheHit, freshness, intermediary, type WebLog } from './doctor-web.ts';

/** Tiles from here on no log will ever reach, so asking for one cannot hide it later … */
const FIRST_UNREACHABLE = 2 ** 44;
/** … and up to here they have a path. Drawn at random: nobody has asked for this one before. */
const LAST_NAMEABLE = 2 ** 45;
/** Between the two requests, in ms: `Age` and `Date` count seconds, and servers are late with them by up to one. */
const APART_MS = 2_100;
/** What a server makes up for every request (not x-amz-id-2, which MinIO keeps): the same twice is one answer, kept. */
const UNIQUE = ['x-amz-request-id', 'x-request-id', 'date'];

const REMEDY =
  'do not cache errors: error TTL 0 at the CDN (CloudFront: custom error responses for 403 and 404; nginx: no 404 in proxy_cache_valid), or `Cache-Control: no-store` on every answer but 200 and 304';

/** Asks twice for a tile that will never be there. */
export async function examineAbsent(web: WebLog): Promise<Finding> {
  const n = FIRST_UNREACHABLE + Math.floor(web.random() * (LAST_NAMEABLE - FIRST_UNREACHABLE));
  const key = tilePath({ level: 0, n, width: 256 });
  const first = await web.ask(web.base + key);
  if (first.status === 403 || first.status === 401) {
    return warning(
      'absent',
      `${key}, which is not there, answers ${first.status}, not 404: readers cannot tell it from a log that is closed`,
      'on S3 let everyone list the public bucket (s3:ListBucket), or map 403 to 404 at the CDN, with an error TTL of 0',
    );
  }
  if (first.status === 200) {
    return problem(
      'absent',
      `${key}, which is not there, answers 200: an error page or a fallback stands in for what is missing`,
      'answer 404 for what is not there: no index page or single-page fallback in the log’s paths',
    );
  }
  if (first.status === 429 || first.status >= 500)
    return unchecked('absent', `${key} answers ${first.status}: try again`);
  if (first.status !== 404 && first.status !== 410) {
    return warning('absent', `${key}, which is not there, answers ${first.status}`, 'answer 404 for what is not there');
  }
  await web.clock.sleep(APART_MS);
  const second = await web.ask(web.base + key);
  return judge(web, first, second);
}

function judge({ clock }: WebLog, first: Answer, second: Answer): Finding {
  const hit = cacheHit(second.headers) ?? sameAnswer(first.headers, second.headers);
  if (hit !== undefined) {
    return problem(
      'absent',
      `a 404 is answered from a cache (${hit}): it hides the next tile when that is published`,
      REMEDY,
    );
  }
  const seconds = freshness(second.headers, clock.now());
  if (seconds !== undefined && seconds > 0) {
    return problem(
      'absent',
      `404s may be kept for ${seconds} s (Cache-Control or Expires): they hide the next tile`,
      REMEDY,
    );
  }
  const between = intermediary(second.headers);
  if (seconds === 0)
    return ok('absent', `404s are not to be kept (${second.headers.get('cache-control') ?? 'Expires'})`);
  if (between === undefined) return ok('absent', '404s show no sign of a cache');
  return warning(
    'absent',
    `404s do not say how long they may be kept, and a cache or proxy stands between (${between}): today it kept none`,
    REMEDY,
  );
}

function sameAnswer(first: Headers, second: Headers): string | undefined {
  const name = UNIQUE.find((header) => first.has(header) && first.get(header) === second.get(header));
  return name === undefined ? undefined : `the same ${name} twice, ${APART_MS} ms apart`;
}
