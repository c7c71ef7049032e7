/** The examination of a log as its operator knows it: a folder with stele.yaml, or the URL of a public store. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  type Ask,
  attempt,
  type CheckName,
  examineWeb,
  type Finding,
  ok,
  problem,
  type WebLog,
  warning,
} from '../client/index.ts';
import { type Clock, systemClock } from '../clock.ts';
import { DeniedError, isSteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import { isNatsUrl } from '../queue/index.ts';
import { isBucketUrl, metaFor, type ObjectStore, openStore, probeStore, publicUrl } from '../store/index.ts';
import { type Environment, type LogConfig, queueUrl, storeUrl } from './config.ts';
import { examineDisk, examineKey } from './doctor-machine.ts';
import { examineNatsQueue } from './doctor-nats.ts';
import { examineBucketPrivacy, examineFolderPrivacy } from './doctor-private.ts';
import { examineJournal, examineQueue, examineSameLog, judgeAge, modifiedOf } from './doctor-stores.ts';
import type { ReadableLog } from './reading.ts';

export interface Examination {
  readonly environment: Environment;
  /** Write no probe objects. */
  readonly readOnly: boolean;
  readonly ask: Ask;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** A log in a folder with stele.yaml: this machine, both stores, and the public URL where it is known. */
export async function* examineConfigured(
  config: LogConfig,
  log: ReadableLog,
  examination: Examination,
): AsyncGenerator<Finding, void> {
  const { environment, ask, clock = systemClock } = examination;
  const urls = { public: storeUrl(config, 'public'), private: storeUrl(config, 'private') };
  const folders = Object.values(urls)
    .filter((url) => url.startsWith('file:'))
    .map((url) => fileURLToPath(url));

  yield await examineKey(config, environment);
  for (const folder of folders) yield await examineDisk(folder);
  let checkpoint: SignedCheckpoint | undefined;
  yield await withRefusals('checkpoint', async () => {
    checkpoint = await log.reader.checkpoint();
    return ok('checkpoint', `${log.store.url}: ${checkpoint.origin}, size ${checkpoint.size}, signed by this log`);
  });
  yield* examineStores(config, urls, log, checkpoint, clock);
  const isFolders = folders.length === 2;
  yield await attempt('private-store', () =>
    isFolders ? examineFolderPrivacy(config, ask) : examineBucketPrivacy(config, ask),
  );
  for (const url of new Set(Object.values(urls).filter(isBucketUrl))) yield await examineConditions(url, examination);
  yield* examineServed(
    config.url ?? (isBucketUrl(urls.public) ? await publicUrl(urls.public) : undefined),
    log,
    examination,
  );
}

/** A log that is known by its URL only. */
export async function* examineUrl(
  url: string,
  log: ReadableLog,
  examination: Examination,
): AsyncGenerator<Finding, void> {
  if (url.startsWith('file:')) {
    yield await examineDisk(fileURLToPath(url));
    yield await withRefusals('checkpoint', async () => {
      const { origin, size } = await log.reader.checkpoint();
      return ok('checkpoint', `${url}: ${origin}, size ${size}`);
    });
    return;
  }
  const web = webLog(isBucketUrl(url) ? await publicUrl(url) : url, examination);
  yield* examineWeb(web, log.verifier, undefined);
}

async function* examineStores(
  config: LogConfig,
  urls: { readonly public: string; readonly private: string },
  log: ReadableLog,
  checkpoint: SignedCheckpoint | undefined,
  clock: Clock,
): AsyncGenerator<Finding, void> {
  await using publicStore = await openExisting(urls.public);
  await using privateStore = await openExisting(urls.private);
  const open = { publicStore: log.store, privateStore: privateStore?.store };
  if (privateStore === undefined) {
    const remedy = 'name the right folder in stele.yaml; if it was lost, see `stele recover`';
    yield problem('same-log', `there is no private store at ${urls.private}`, remedy);
  } else {
    yield await withRefusals('same-log', () => examineSameLog(config, log.verifier, open));
    const { store } = privateStore;
    if (checkpoint !== undefined) {
      const known = checkpoint;
      yield await withRefusals('journal', () => examineJournal(store, known, clock.now()));
    }
    if (queueUrl(config) === undefined) {
      yield await withRefusals('queue', () => examineQueue(store.list('queue/'), clock.now()));
    }
  }
  const elsewhere = queueUrl(config);
  if (elsewhere !== undefined && isNatsUrl(elsewhere)) {
    yield await withRefusals('queue', () => examineNatsQueue(elsewhere, clock.now()));
  } else if (elsewhere !== undefined) {
    await using queue = await openExisting(elsewhere);
    if (queue === undefined) yield ok('queue', `there is no ${elsewhere} yet: nobody has submitted anything`);
    else yield await withRefusals('queue', () => examineQueue(queue.store.list(''), clock.now()));
  }
  if (publicStore === undefined || checkpoint === undefined) return;
  yield await withRefusals('age', async () => {
    const modified = await modifiedOf(publicStore.store, 'checkpoint');
    return modified === undefined
      ? ok('age', 'the store does not say when the checkpoint was written')
      : judgeAge(modified, config.publish?.republish, clock.now());
  });
}

async function* examineServed(
  url: string | undefined,
  { reader, verifier }: ReadableLog,
  examination: Examination,
): AsyncGenerator<Finding, void> {
  if (url === undefined) {
    yield warning(
      'served',
      'stele.yaml does not say where the log is served, so that was not looked at',
      'set url in stele.yaml, or run `stele doctor URL --vkey KEY`',
    );
    return;
  }
  // Read now: what the URL serves may be newer, never older.
  const origin = await reader.checkpoint().catch((error: unknown) => {
    if (isSteleError(error)) return undefined;
    throw error;
  });
  yield* examineWeb(webLog(url, examination), verifier, origin);
}

/** Whether a bucket keeps its promises to several writers. Writes objects of its own below the store and deletes them. */
async function examineConditions(url: string, { readOnly }: Examination): Promise<Finding> {
  if (readOnly) return ok('conditional-writes', `${url}: not tried, as --read-only asks`);
  return attempt('conditional-writes', async () => {
    try {
      const store = await openStore(url);
      try {
        await probeStore(store);
      } finally {
        await store.close();
      }
      return ok('conditional-writes', `${url}: one winner of every race`);
    } catch (error) {
      if (error instanceof DeniedError) {
        return ok('conditional-writes', `${url}: not tried, these credentials may not write there`);
      }
      if (!isSteleError(error, 'config')) throw error;
      const remedy =
        'keep the log in a store that holds them: a writer refuses this one (README lists what was tested)';
      return problem('conditional-writes', error.message, remedy);
    }
  });
}

function webLog(url: string, { ask, clock = systemClock, random = Math.random }: Examination): WebLog {
  return { base: url.endsWith('/') ? url : `${url}/`, ask, clock, random, metaFor };
}

/** As `attempt`; what a store refuses or lacks is a problem of the log, not of the moment. */
function withRefusals(check: CheckName, step: () => Promise<Finding>): Promise<Finding> {
  return attempt(check, async () => {
    try {
      return await step();
    } catch (error) {
      if (!isSteleError(error) || error.code === 'unreachable') throw error;
      return problem(check, error.message, 'see `stele fsck` for the public store, `stele recover` for both');
    }
  });
}

/** A store to list. Opening a folder for writing would make it where it is not. */
async function openExisting(url: string): Promise<({ readonly store: ObjectStore } & AsyncDisposable) | undefined> {
  if (url.startsWith('file:') && !existsSync(fileURLToPath(url))) return undefined;
  const store = await openStore(url);
  return { store, [Symbol.asyncDispose]: () => store.close() };
}
