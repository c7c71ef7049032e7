/** The checkpoint: whether it is this log's, how old it is, and whether everyone gets the newest one. */

import { isSteleError } from '../errors.ts';
import { equalBytes } from '../merkle/index.ts';
import { openCheckpoint, type SignedCheckpoint, type Verifier } from '../note/index.ts';
import { type Finding, ok, problem, warning } from './doctor-finding.ts';
import { wrongStatus } from './doctor-headers.ts';
import { cacheHit, type WebLog } from './doctor-web.ts';
import { CHECKPOINT_KEY } from './objects.ts';

/** How far two clocks may be apart, in ms: more shows in ages and timestamps … */
const NOTICEABLE_MS = 5_000;
/** … and this much makes signed requests fail: S3 allows 15 minutes. */
const HARMFUL_MS = 5 * 60_000;
/** A checkpoint that a cache has kept this long, in s, without asking: followers, and witnesses, fall behind. */
const LONG_KEPT_S = 60;
/** How long a checkpoint may take from the store to the URL, in ms, before somebody keeps an old one. */
const PATIENCE_MS = 2_000;

const STALE_REMEDY =
  'the cache must ask the store each time: let it honour `Cache-Control: no-cache`, minimum TTL 0 for /checkpoint, no “serve stale”, query strings not needed';

/** The checkpoint that a URL serves now, verified; or what is wrong with it. */
export async function readServed(
  web: WebLog,
  verifier: Verifier,
  query = '',
): Promise<{ readonly checkpoint?: SignedCheckpoint; readonly finding: Finding }> {
  const answer = await web.ask(web.base + CHECKPOINT_KEY + query);
  if (answer.status !== 200)
    return { finding: wrongStatus(CHECKPOINT_KEY, answer.status, answer.headers, 'checkpoint') };
  try {
    const checkpoint = openCheckpoint(answer.bytes, verifier);
    const written = answer.headers.get('last-modified');
    const when = written === null ? '' : `, written ${written}`;
    const cached = cacheHit(answer.headers);
    const how = cached === undefined ? '' : `, from a cache (${cached})`;
    return {
      checkpoint,
      finding: ok('checkpoint', `${web.base}checkpoint: ${checkpoint.origin}, size ${checkpoint.size}${when}${how}`),
    };
  } catch (error) {
    if (!isSteleError(error)) throw error;
    return {
      finding: problem(
        'checkpoint',
        `${web.base}checkpoint is not signed by ${verifier.vkey}: ${error.message}`,
        'compare the URL, and the verifier key (`stele key show`): one of them is another log’s, or something else is served there',
      ),
    };
  }
}

/**
 * Whether caches keep an old checkpoint: they may say so themselves; else a read with a query that no cache has seen,
 * then a plain one, which must not be smaller.
 */
export async function examineStale(web: WebLog, verifier: Verifier): Promise<Finding> {
  const { headers } = await web.ask(web.base + CHECKPOINT_KEY);
  const ageS = Number(headers.get('age') ?? 0);
  if (ageS > 0) {
    const seen = `${web.base}checkpoint comes from a cache that has not asked for ${ageS} s (Age: ${ageS})`;
    return ageS > LONG_KEPT_S
      ? problem('stale-checkpoint', seen, STALE_REMEDY)
      : warning('stale-checkpoint', seen, STALE_REMEDY);
  }
  const fresh = await readServed(web, verifier, `?doctor=${Math.floor(web.random() * 2 ** 53).toString(36)}`);
  if (fresh.checkpoint === undefined) {
    return ok('stale-checkpoint', 'the server answers no query strings: there is no read past its caches to compare');
  }
  return catchUp(web, verifier, fresh.checkpoint, 'a read past the caches');
}

/** Whether the URL serves what the store behind it has: `origin` was read there a moment ago. */
export function examineBehind(web: WebLog, verifier: Verifier, origin: SignedCheckpoint): Promise<Finding> {
  return catchUp(web, verifier, origin, 'the store');
}

async function catchUp(web: WebLog, verifier: Verifier, known: SignedCheckpoint, where: string): Promise<Finding> {
  for (const waitMs of [0, PATIENCE_MS]) {
    await web.clock.sleep(waitMs);
    const { checkpoint, finding } = await readServed(web, verifier);
    if (checkpoint === undefined) return { ...finding, check: 'stale-checkpoint' };
    if (checkpoint.size === known.size && !equalBytes(checkpoint.root, known.root)) {
      return problem(
        'stale-checkpoint',
        `two signed checkpoints of size ${known.size} with different roots: ${web.base} against ${where}. This log has forked`,
        'stop every writer, keep both checkpoints, and see “Two histories” in docs/runbook.md',
      );
    }
    if (checkpoint.size < known.size) continue;
    return waitMs === 0
      ? ok('stale-checkpoint', `${web.base}checkpoint is as new as ${where} (size ${checkpoint.size})`)
      : warning('stale-checkpoint', `${web.base}checkpoint came up to ${where} only after a moment`, STALE_REMEDY);
  }
  return problem(
    'stale-checkpoint',
    `${web.base}checkpoint stays behind ${where}, which has size ${known.size}: an old one is served`,
    STALE_REMEDY,
  );
}

/** A server's clock against ours. Safety needs no clock; ages, timestamps and signed requests do. */
export function judgeClock(whose: string, serverMs: number, ourMs: number): Finding {
  const apart = serverMs - ourMs;
  const size = Math.abs(apart);
  const seen = `${whose} is ${(size / 1_000).toFixed(1)} s ${apart < 0 ? 'behind' : 'ahead of'} this machine`;
  const remedy = 'synchronise both clocks (NTP): look first at the one that other machines disagree with, too';
  if (size > HARMFUL_MS) return problem('clock', seen, remedy);
  return size > NOTICEABLE_MS ? warning('clock', seen, remedy) : ok('clock', seen);
}

/** The clock of a web server, by its `Date`; an answer from a cache is as old as it says. */
export async function examineClock({ base, ask, clock }: WebLog): Promise<Finding> {
  const before = clock.now();
  const { headers } = await ask(base + CHECKPOINT_KEY, { method: 'HEAD' });
  const ourMs = (before + clock.now()) / 2;
  const date = Date.parse(headers.get('date') ?? '');
  if (Number.isNaN(date)) return ok('clock', `${base} does not say what time it is (no Date)`);
  // Date counts whole seconds, cut off.
  return judgeClock(base, date + 500 + 1_000 * Number(headers.get('age') ?? 0), ourMs);
}
