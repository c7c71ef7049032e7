/**
 * `cache/` beside stele.yaml: what this machine knows and can learn again. It may be deleted at any time, need not be
 * backed up, and is never believed: the dedup cache is held against the log, a bucket is probed again after a day.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import { readDescription } from '../sequencer/index.ts';
import { DedupCache, type ObjectStore, probeStore, type ReadableStore } from '../store/index.ts';
import type { LogConfig } from './config.ts';

/**
 * How long what was found to be good counts as that. From cron a hundred requests a minute would cost more than the log, and a service that was
 * killed would be away for as long as they take.
 */
const GOOD_FOR_MS = 24 * 3_600_000;

/** The cache of older entries, or undefined where `dedup.cache` is off. Throws `config`. */
export async function openDedupCache(config: LogConfig, publicStore: ReadableStore): Promise<DedupCache | undefined> {
  if (config.dedup?.cache === false) return undefined;
  const description = await readDescription(publicStore);
  if (description === undefined) throw new SteleError('config', `${publicStore.url} has no log.json: there is no log`);
  return DedupCache.open(join(config.dir, 'cache', 'dedup.sqlite'), Buffer.from(description.id, 'hex'));
}

/** Probes a bucket unless this machine did so within a day. */
export function probeDaily(config: LogConfig): (store: ObjectStore) => Promise<void> {
  return (store) => daily(config, store.url, () => probeStore(store));
}

/**
 * Looks through the dedup cache unless that was done within a day: what it lacks by damage would be logged again. False: it
 * was damaged, and knows nothing any more.
 */
export async function checkDaily(config: LogConfig, cache: DedupCache): Promise<boolean> {
  let isGood = true;
  await daily(config, 'dedup cache', async () => {
    isGood = await cache.check();
  });
  return isGood;
}

/** Does it unless it was done, and did not throw, within a day. */
async function daily(config: LogConfig, what: string, work: () => Promise<void>): Promise<void> {
  const path = join(config.dir, 'cache', 'checked.json');
  const times = await readTimes(path);
  const ageMs = systemClock.now() - (times[what] ?? 0);
  if (ageMs >= 0 && ageMs < GOOD_FOR_MS) return;
  await work();
  await mkdir(join(config.dir, 'cache'), { recursive: true });
  await writeFile(path, `${JSON.stringify({ ...(await readTimes(path)), [what]: systemClock.now() })}\n`);
}

/** When what was last found to be good, in ms since 1970. What cannot be read is forgotten. */
async function readTimes(path: string): Promise<Readonly<Record<string, number>>> {
  try {
    const times: unknown = JSON.parse(await readFile(path, 'utf8'));
    const entries = Object.entries(times ?? {}).filter(([, time]) => Number.isFinite(time));
    return Object.fromEntries(entries);
  } catch {
    return {};
  }
}
