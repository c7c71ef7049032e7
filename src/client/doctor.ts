/**
 * The examination of a log on the web: what operators get wrong, found by asking for what readers ask for. Nothing is
 * written, and nothing is asked for but the log's own objects below the URL that was named.
 */

import { isSteleError } from '../errors.ts';
import type { SignedCheckpoint, Verifier } from '../note/index.ts';
import { examineAbsent } from './doctor-absent.ts';
import { examineBehind, examineClock, examineStale, readServed } from './doctor-checkpoint.ts';
import { type CheckName, type Finding, unchecked } from './doctor-finding.ts';
import {
  DESCRIPTION_KEY,
  examineConditionalGet,
  examineCors,
  examineEncoding,
  examineHead,
  examineHeaders,
  sampleTiles,
} from './doctor-headers.ts';
import type { WebLog } from './doctor-web.ts';
import { CHECKPOINT_KEY } from './objects.ts';

type Step = [check: CheckName, step: () => Promise<Finding>];

/**
 * Yields findings as they are made. `origin` is the checkpoint of the store behind the URL, where it is known, read
 * just before. Never throws for what a server does.
 */
export async function* examineWeb(
  web: WebLog,
  verifier: Verifier,
  origin: SignedCheckpoint | undefined,
): AsyncGenerator<Finding, void> {
  let size: number | undefined;
  yield await attempt('checkpoint', async () => {
    const { checkpoint, finding } = await readServed(web, verifier);
    size = checkpoint?.size;
    return finding;
  });
  // What is not this log needs no further questions.
  if (size === undefined) return;
  const tiles = sampleTiles(size);
  const steps: Step[] = [
    ...[CHECKPOINT_KEY, DESCRIPTION_KEY, ...tiles].map((key): Step => ['headers', () => examineHeaders(web, key)]),
    ...[CHECKPOINT_KEY, ...tiles.slice(0, 1)].map((key): Step => ['encoding', () => examineEncoding(web, key)]),
    ['head', () => examineHead(web, tiles[0] ?? DESCRIPTION_KEY)],
    ['conditional-get', () => examineConditionalGet(web, CHECKPOINT_KEY)],
    ...[CHECKPOINT_KEY, ...tiles.slice(0, 1)].map((key): Step => ['cors', () => examineCors(web, key)]),
    ['absent', () => examineAbsent(web)],
    ['clock', () => examineClock(web)],
    ['stale-checkpoint', () => examineStale(web, verifier)],
  ];
  if (origin !== undefined) steps.push(['stale-checkpoint', () => examineBehind(web, verifier, origin)]);
  for (const [check, step] of steps) yield await attempt(check, step);
}

/** One check; a server that cannot be reached leaves it open. */
export async function attempt(check: CheckName, step: () => Promise<Finding>): Promise<Finding> {
  try {
    return await step();
  } catch (error) {
    if (!isSteleError(error)) throw error;
    return unchecked(check, error.message);
  }
}
