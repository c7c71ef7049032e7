/** What `stele doctor` sees in a log's two stores: whether they belong together, and whether a writer is at work. */

import { type Finding, judgeClock, ok, problem, warning } from '../client/index.ts';
import { isSteleError } from '../errors.ts';
import type { SignedCheckpoint, Verifier } from '../note/index.ts';
import { type LogDescription, readDescription } from '../sequencer/index.ts';
import type { ListedObject, ObjectStore, ReadableStore } from '../store/index.ts';
import type { LogConfig } from './config.ts';

/** What is committed or submitted is published within seconds where a writer runs, within a minute from cron. */
export const OVERDUE_MS = 5 * 60_000;
/** Records below the published size that a writer may be about to delete. */
const COLLECTED_LATE = 64;

/** log.json in both stores and in stele.yaml: one log, one key, one URL. */
export async function examineSameLog(
  config: LogConfig,
  verifier: Verifier,
  stores: { readonly publicStore: ReadableStore; readonly privateStore: ReadableStore | undefined },
): Promise<Finding> {
  const { publicStore, privateStore } = stores;
  let ours: LogDescription | undefined;
  let theirs: LogDescription | undefined;
  try {
    ours = await readDescription(publicStore);
    theirs = privateStore && (await readDescription(privateStore));
  } catch (error) {
    if (!isSteleError(error, 'malformed')) throw error;
    return problem('same-log', error.message, 'see `stele recover`: it says what is damaged, and mends it');
  }
  const recover = 'name the right stores in stele.yaml; if they are right, see `stele recover`';
  if (ours === undefined) return problem('same-log', `${publicStore.url} has no log.json`, recover);
  if (privateStore !== undefined && theirs?.id !== ours.id) {
    const other = theirs === undefined ? 'has no log.json' : `is log ${theirs.id} (${theirs.origin})`;
    return problem(
      'same-log',
      `${publicStore.url} is log ${ours.id} (${ours.origin}), ${privateStore.url} ${other}`,
      recover,
    );
  }
  if (ours.origin !== config.origin || !ours.keys.includes(verifier.vkey)) {
    return problem(
      'same-log',
      `log.json says origin ${ours.origin}, key ${ours.keys.join(', ')}; stele.yaml says ${verifier.vkey}`,
      'one of the two is another log’s: find out which, before anything is written',
    );
  }
  if (config.url !== undefined && ours.url !== undefined && ours.url !== config.url) {
    return warning(
      'same-log',
      `log.json says it is served at ${ours.url}, stele.yaml says ${config.url}`,
      'readers take the hint from log.json: serve the log at both, or redirect the old one',
    );
  }
  return ok(
    'same-log',
    `log ${ours.id} (${ours.origin}) in ${privateStore === undefined ? 'the public store' : 'both stores'}`,
  );
}

/** The journal: what waits to be published, and what should have been deleted. */
export async function examineJournal(
  privateStore: ObjectStore,
  { size }: SignedCheckpoint,
  nowMs: number,
): Promise<Finding> {
  const records: ListedObject[] = [];
  for await (const object of privateStore.list('journal/')) records.push(object);
  return judgeJournal(records, size, nowMs);
}

/** `size`: the published one, read before the journal was listed. */
export function judgeJournal(records: readonly ListedObject[], size: number, nowMs: number): Finding {
  const startOf = ({ key }: ListedObject): number => Number(key.slice('journal/'.length));
  const waiting = records.filter((record) => startOf(record) >= size);
  const overdue = waiting.filter(({ modified }) => nowMs - modified > OVERDUE_MS);
  if (overdue.length > 0) {
    return problem(
      'journal',
      `${overdue.length} commits beyond the published size ${size} are not published, the oldest since ${ago(overdue, nowMs)}`,
      'is `stele sequence` running, and what does it say? It publishes them when it can; a log that was frozen is no matter',
    );
  }
  // The record that ends at the published size stays; all before it are of no more use.
  const done = records.length - waiting.length - 1;
  const old = records.slice(0, Math.max(0, done)).filter(({ modified }) => nowMs - modified > OVERDUE_MS);
  if (old.length > COLLECTED_LATE) {
    return warning(
      'journal',
      `${old.length} records below the published size ${size} were never deleted, the oldest since ${ago(old, nowMs)}`,
      'the writer needs the permission to delete below journal/; `stele sequence --once` collects them',
    );
  }
  return ok('journal', `${records.length} records, ${waiting.length} of them not published`);
}

/** The queue: whether anybody takes what is submitted, and whether items had to be set aside. */
export async function examineQueue(items: AsyncIterable<ListedObject>, nowMs: number): Promise<Finding> {
  const waiting: ListedObject[] = [];
  let aside = 0;
  for await (const item of items) {
    if (/(^|\/)new\//.test(item.key)) waiting.push(item);
    else if (/(^|\/)bad\//.test(item.key) && !item.key.endsWith('.why')) aside += 1;
  }
  const overdue = waiting.filter(({ modified }) => nowMs - modified > OVERDUE_MS);
  if (overdue.length > 0) {
    return problem(
      'queue',
      `${overdue.length} of ${waiting.length} submissions wait since ${ago(overdue, nowMs)}`,
      'is `stele sequence` running, from cron or as a service, and what does it say?',
    );
  }
  if (aside > 0) {
    return warning(
      'queue',
      `${aside} submissions were set aside`,
      'look at the .why beside each in bad/ of the queue, tell those who sent them, then delete them',
    );
  }
  return ok('queue', `${waiting.length} submissions wait`);
}

/** How old the published checkpoint is, against what the configuration promises. */
export function judgeAge(modifiedMs: number, republishMs: number | undefined, nowMs: number): Finding {
  const ageMs = nowMs - modifiedMs;
  // A clock that is a little ahead shows in nothing else.
  if (ageMs < -OVERDUE_MS) return judgeClock('the store, which wrote the checkpoint,', modifiedMs, nowMs);
  const seen = `the checkpoint was written ${duration(ageMs)} ago`;
  if (republishMs === undefined || republishMs === 0) {
    return ok('age', `${seen}; an idle log is not signed again (publish.republish is off)`);
  }
  if (ageMs <= 2 * republishMs + OVERDUE_MS) return ok('age', `${seen}, publish.republish is ${duration(republishMs)}`);
  return problem(
    'age',
    `${seen}, though publish.republish is ${duration(republishMs)}`,
    'is `stele sequence` running as a service? With --once from cron, let cron run as often as publish.republish says',
  );
}

/** The object's time by the store's own clock. */
export async function modifiedOf(store: ObjectStore, key: string): Promise<number | undefined> {
  for await (const object of store.list(key)) {
    if (object.key === key) return object.modified;
  }
  return undefined;
}

function ago(objects: readonly ListedObject[], nowMs: number): string {
  return duration(nowMs - Math.min(...objects.map(({ modified }) => modified)));
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} days`;
}
