/**
 * The probe of DESIGN §4. Some servers ignore `If-None-Match` and `If-Match` without a word, and two writers on such a
 * server would fork the log; so a bucket shows that it keeps its promises before anything is written to it.
 */

import { isSteleError, SteleError } from '../errors.ts';
import { metaFor } from './meta.ts';
import type { ETag, ObjectStore } from './types.ts';

/** Enough for servers that check the condition before they queue the write. */
const RACERS = 32;

/** How often it is tried where answers are lost: one in fifty is enough for a loss in most races. */
const ATTEMPTS = 4;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/**
 * Holds a store to the promises that a log with several writers rests on: of 32 concurrent creates, and of 32 concurrent
 * swaps on as many connections, exactly one wins and is what is read; a swap of the version that is read wins, one of what
 * is absent loses; a create after a delete wins; a list shows what is there. About 115 requests, 71 of them PUTs; nothing
 * is left behind. Lost answers say nothing about a store: they are allowed for, and where one leaves a question open all
 * of it is asked again.
 *
 * Throws `config` naming the broken promise; whatever the store throws where it could not be tried.
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    let lost = 0;
    const noted = noteUnknown(store, () => {
      lost += 1;
    });
    try {
      return await probeOnce(noted);
    } catch (error) {
      // A write that lands late can make an honest store look like a liar.
      if (lost === 0 || attempt === ATTEMPTS || !isSteleError(error)) throw error;
    }
  }
}

type Probed = Pick<ObjectStore, 'url' | 'get' | 'create' | 'replace' | 'delete' | 'list'>;

/** The store, telling of every write whose outcome is unknown. */
function noteUnknown(store: ObjectStore, note: () => void): Probed {
  const noting = async <T>(write: Promise<T>): Promise<T> => {
    try {
      return await write;
    } catch (error) {
      if (isSteleError(error, 'outcome-unknown')) note();
      throw error;
    }
  };
  return {
    url: store.url,
    get: (key, options) => store.get(key, options),
    create: (key, bytes, meta) => noting(store.create(key, bytes, meta)),
    replace: (key, bytes, meta, ifMatch) => noting(store.replace(key, bytes, meta, ifMatch)),
    delete: (key) => store.delete(key),
    list: (prefix) => store.list(prefix),
  };
}

async function probeOnce(store: Probed): Promise<void> {
  const folder = `probe/${crypto.randomUUID()}`;
  const keys = { create: `${folder}/create`, swap: `${folder}/swap`, absent: `${folder}/absent` };
  try {
    await probeCreate(store, keys.create);
    await probeSwap(store, keys.swap);
    await probeAbsence(store, keys.absent);
    await probeList(store, folder, keys);
  } finally {
    // What cannot be removed says less than what is thrown already.
    await Promise.allSettled(Object.values(keys).map((key) => store.delete(key)));
  }
}

async function probeCreate(store: Probed, key: string): Promise<void> {
  const create = (text: string): Promise<boolean> => store.create(key, utf8(text), metaFor(key));
  await race(store, key, 'concurrent creates of one object (If-None-Match: *)', create);
  await store.delete(key);
  if (!(await create('after delete'))) throw broken(store, 'a create after a delete wins, and it was refused');
  if (await create('again'))
    throw broken(store, 'a create of what exists is refused (If-None-Match: *), and it was done');
}

async function probeSwap(store: Probed, key: string): Promise<void> {
  const first = await store.replace(key, utf8('before'), metaFor(key), null);
  const read = await race(store, key, 'concurrent swaps of one version (If-Match)', (text) =>
    swap(store, key, text, first),
  );
  if (!(await swap(store, key, 'again', read)))
    throw broken(
      store,
      'a swap of the version that was just read wins (If-Match), and it lost: does a proxy before the server change the ETag?',
    );
  if (await swap(store, key, 'late', first))
    throw broken(store, 'a swap of an old version loses (If-Match), and it won');
}

async function probeAbsence(store: Probed, key: string): Promise<void> {
  const etag = await store.replace(key, utf8('gone'), metaFor(key), null);
  await store.delete(key);
  if ((await store.get(key)) !== undefined) throw broken(store, 'what was deleted is gone, and it can be read');
  if (await swap(store, key, 'back', etag))
    throw broken(store, 'a swap of what is absent loses (If-Match), and it won');
}

async function probeList(store: Probed, folder: string, keys: { create: string; swap: string }): Promise<void> {
  const listed: string[] = [];
  for await (const { key } of store.list(`${folder}/`)) listed.push(key);
  if (listed.join() === [keys.create, keys.swap].join()) return;
  throw broken(store, `a list shows what is there and nothing else, and it shows ${listed.join(', ') || 'nothing'}`);
}

/**
 * Lets all racers write at once: one wins, and its bytes are there, at the version that is returned. One that was not
 * answered may have been the winner.
 */
async function race(
  store: Probed,
  key: string,
  what: string,
  write: (text: string) => Promise<boolean>,
): Promise<ETag> {
  const texts = Array.from({ length: RACERS }, (_, i) => `racer ${i}`);
  const won = await Promise.all(texts.map((text) => write(text).catch(unlessUnknown)));
  const winners = texts.filter((_, i) => won[i] === true);
  const unanswered = texts.filter((_, i) => won[i] === 'unknown');
  if (winners.length > 1 || (winners.length === 0 && unanswered.length === 0)) {
    throw broken(store, `of ${RACERS} ${what} exactly one wins, and ${winners.length} did`);
  }
  const found = await store.get(key);
  if (winners.length === 0 && found === undefined) {
    throw new SteleError(
      'outcome-unknown',
      `${store.url}: nobody knows who of ${RACERS} ${what} won: answers were lost`,
    );
  }
  const text = found === undefined ? 'nothing' : new TextDecoder().decode(found.bytes);
  if (found === undefined || !(winners.length === 1 ? winners : unanswered).includes(text)) {
    throw broken(store, `of ${RACERS} ${what} the winner's bytes are read, and ${text} was`);
  }
  return found.etag;
}

function unlessUnknown(error: unknown): 'unknown' {
  if (isSteleError(error, 'outcome-unknown')) return 'unknown';
  throw error;
}

async function swap(store: Probed, key: string, text: string, etag: string): Promise<boolean> {
  try {
    await store.replace(key, utf8(text), metaFor(key), etag);
    return true;
  } catch (error) {
    if (isSteleError(error, 'precondition-failed')) return false;
    throw error;
  }
}

function broken({ url }: Probed, promise: string): SteleError {
  return new SteleError(
    'config',
    `${url} breaks a promise that a log rests on: ${promise}. Two writers there would fork the log, so nothing was written; use a server that honours conditional writes (the README lists some)`,
  );
}
