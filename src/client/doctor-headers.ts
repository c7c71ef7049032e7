/** Headers, encodings and methods: whether what is served is served as c2sp.org/tlog-tiles and HTTP caches need it. */

import { equalBytes } from '../merkle/index.ts';
import { TILE_WIDTH, type Tile, tilePath } from '../tiles/index.ts';
import { type Finding, ok, problem, unchecked, warning } from './doctor-finding.ts';
import { type Answer, freshness, type WebLog } from './doctor-web.ts';

/** What a Stele log says of itself; other logs do not have it. */
export const DESCRIPTION_KEY = 'log.json';
/** An object that is asked for often: a checkpoint this old (s) delays readers, but does no other harm. */
const TOLERABLE_CHECKPOINT_S = 60;
/** Tiles that caches may keep for less than a day are paid for again and again. */
const WORTHWHILE_TILE_S = 86_400;
/** Longest Content-Type that is shown as it came. */
const SHOWN = 80;

/** Some object of each kind that a log of this size has: hash tile, bundle. None for an empty log. */
export function sampleTiles(size: number): string[] {
  if (size === 0) return [];
  const width = Math.min(size, TILE_WIDTH);
  return [0, 'entries' as const].map((level): string => tilePath({ level, n: 0, width } satisfies Tile));
}

/** Content-Type and Cache-Control of one object. */
export async function examineHeaders({ base, ask, clock, metaFor }: WebLog, key: string): Promise<Finding> {
  const { status, headers, bytes } = await ask(base + key);
  if (key === DESCRIPTION_KEY && status === 404) {
    return warning(
      'headers',
      `${key} is not served`,
      'copy log.json with the rest of the public store: readers find keys and kinds there',
    );
  }
  if (status !== 200) return wrongStatus(key, status, headers);
  const expected = metaFor(key);
  const type = headers.get('content-type');
  const remedies = `serve ${key} with \`Content-Type: ${expected.contentType}\` and \`Cache-Control: ${expected.cacheControl}\` (tiles-spec/layout.md has all)`;
  if (mediaType(type) === 'text/html') {
    return problem('headers', `${key} is an HTML page of ${bytes.length} bytes: not the log`, remedies);
  }
  const control = headers.get('cache-control') ?? 'no Cache-Control';
  const seen = `${key}: ${(type ?? 'no Content-Type').slice(0, SHOWN)}; ${control.slice(0, SHOWN)}`;
  const seconds = freshness(headers, clock.now());
  const immutable = expected.cacheControl.includes('immutable');
  if (!immutable && seconds !== undefined && seconds > TOLERABLE_CHECKPOINT_S) {
    return problem('headers', `${seen}: caches may serve an old one for ${seconds} s`, remedies);
  }
  if (mediaType(type) !== mediaType(expected.contentType)) return warning('headers', seen, remedies);
  if (immutable && (seconds ?? 0) < WORTHWHILE_TILE_S) {
    return warning('headers', `${seen}: caches ask again for what never changes`, remedies);
  }
  if (!immutable && seconds !== 0) {
    const how = seconds === undefined ? 'as long as they like' : `for ${seconds} s`;
    return warning('headers', `${seen}: caches may serve an old one ${how}`, remedies);
  }
  return ok('headers', seen);
}

/** Whoever takes no encoding gets none, and whoever takes gzip gets the same bytes. */
export async function examineEncoding({ base, ask }: WebLog, key: string): Promise<Finding> {
  const plain = await ask(base + key, { headers: { 'accept-encoding': 'identity' } });
  if (plain.status !== 200) return wrongStatus(key, plain.status, plain.headers, 'encoding');
  const coding = plain.headers.get('content-encoding');
  if (coding !== null && coding.toLowerCase() !== 'identity') {
    return problem(
      'encoding',
      `${key} comes as Content-Encoding: ${coding} though nobody asked for it: many readers do not decode that`,
      'store objects uncompressed; let the server compress only for those that accept it',
    );
  }
  const zipped = await ask(base + key, { headers: { 'accept-encoding': 'gzip' } });
  if (zipped.status === 200 && equalBytes(zipped.bytes, plain.bytes)) {
    const used = zipped.headers.get('content-encoding');
    return ok('encoding', `${key}: ${used === null ? 'never compressed' : `${used} only where it is accepted`}`);
  }
  return problem(
    'encoding',
    `${key}: with \`Accept-Encoding: gzip\` other bytes came (status ${zipped.status})`,
    'switch off compression for the log, or filters that rewrite what they serve',
  );
}

/** HEAD says what GET says. */
export async function examineHead({ base, ask }: WebLog, key: string): Promise<Finding> {
  const identity = { headers: { 'accept-encoding': 'identity' } };
  const [got, head] = [await ask(base + key, identity), await ask(base + key, { ...identity, method: 'HEAD' })];
  if (got.status !== 200) return wrongStatus(key, got.status, got.headers, 'head');
  const length = head.headers.get('content-length');
  const compressed = head.headers.has('content-encoding');
  const differing =
    (head.status !== got.status && `status ${head.status}`) ||
    (length !== null &&
      !compressed &&
      Number(length) !== got.bytes.length &&
      `Content-Length ${length}, body ${got.bytes.length}`) ||
    (head.headers.get('content-type') !== got.headers.get('content-type') &&
      `Content-Type ${head.headers.get('content-type')}`);
  if (!differing) return ok('head', `${key}: HEAD answers as GET does`);
  return warning('head', `${key}: HEAD differs from GET: ${differing}`, 'allow HEAD as well as GET, unchanged');
}

/** Whether who asks "has it changed?" is told the truth, and told it by a 304. Not asking at all is well, too. */
export async function examineConditionalGet({ base, ask }: WebLog, key: string): Promise<Finding> {
  for (let round = 1; ; round++) {
    const first = await ask(base + key);
    if (first.status !== 200) return wrongStatus(key, first.status, first.headers, 'conditional-get');
    const etag = first.headers.get('etag');
    if (countsSeconds(first)) {
      return warning(
        'conditional-get',
        `${key}: ${etag === null ? 'Last-Modified' : `ETag ${etag}`} counts whole seconds: of two checkpoints of one second, whoever has the first is told that nothing has changed`,
        'switch both off for the checkpoint (nginx: etag off, if_modified_since off, add_header Last-Modified ""; see examples/nginx/directory.conf)',
      );
    }
    if (etag === null) return ok('conditional-get', `${key} comes whole each time: no ETag, no Last-Modified`);
    const again = await ask(base + key, { headers: { 'if-none-match': etag } });
    if (again.status === 304) return ok('conditional-get', `${key}: 304 for If-None-Match`);
    // A checkpoint may have been replaced between the two.
    if (round < 3 && again.status === 200 && !equalBytes(again.bytes, first.bytes)) continue;
    return warning(
      'conditional-get',
      `${key}: ${again.status} for If-None-Match with its own ETag`,
      'answer If-None-Match with 304 where the ETag is the same: readers that poll save the body',
    );
  }
}

/** Whether a page of another origin may read the log: browsers verify it there. */
export async function examineCors({ base, ask }: WebLog, key: string): Promise<Finding> {
  const origin = 'https://cors-check.invalid';
  const { status, headers } = await ask(base + key, { headers: { origin } });
  if (status !== 200) return wrongStatus(key, status, headers, 'cors');
  const allowed = headers.get('access-control-allow-origin');
  const remedy =
    'send `Access-Control-Allow-Origin: *` with every object: a log is public, and has no cookies to protect';
  if (allowed === '*') return ok('cors', `${key}: Access-Control-Allow-Origin: *`);
  if (allowed !== origin) {
    return warning(
      'cors',
      `${key}: ${allowed ?? 'no'} Access-Control-Allow-Origin: web pages elsewhere cannot read it`,
      remedy,
    );
  }
  if (/\borigin\b|\*/i.test(headers.get('vary') ?? '')) return ok('cors', `${key}: any origin, with Vary`);
  return warning(
    'cors',
    `${key}: allows the origin that asks, without \`Vary: Origin\`: a cache gives it to others`,
    remedy,
  );
}

export function wrongStatus(
  key: string,
  status: number,
  headers: Headers,
  check: Finding['check'] = 'headers',
): Finding {
  const location = headers.get('location');
  if (location !== null && status >= 300 && status < 400) {
    return warning(
      check,
      `${key} answers ${status} to ${location.slice(0, 200)}: not followed, each read costs two requests`,
      'name the log by the URL that it redirects to (url in stele.yaml), or serve it without a redirect',
    );
  }
  if (status === 429 || status >= 500) return unchecked(check, `${key} answers ${status}: try again`);
  return problem(check, `${key} answers ${status}`, 'serve the public store at this URL, readable by everyone');
}

/** The validators of nginx: seconds of the modification and, in the ETag, the length, which most checkpoints share. */
function countsSeconds({ headers, bytes }: Answer): boolean {
  const modified = headers.get('last-modified');
  if (modified === null) return false;
  const etag = headers.get('etag');
  if (etag === null) return true;
  const seconds = Math.floor(Date.parse(modified) / 1_000).toString(16);
  return etag.replace(/^W\//, '') === `"${seconds}-${bytes.length.toString(16)}"`;
}

function mediaType(value: string | null): string {
  return value?.split(';')[0]?.trim().toLowerCase() ?? '';
}
