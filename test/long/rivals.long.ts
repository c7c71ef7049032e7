/**
 * One to three writers on one log, with queues of their own or one in the bucket, whose store fails, answers late, loses answers and lands writes long after; writers
 * crash, restart, stop, freeze, and their clocks jump. Replay one round with STELE_SEED=… STELE_ROUNDS=1.
 */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { isSteleError, type SteleError } from '../../src/errors.ts';
import { openCheckpoint } from '../../src/note/index.ts';
import {
  type BucketPlace,
  BucketQueue,
  BucketSubmitter,
  MemoryQueue,
  QUEUE_LIMITS,
  type Receipt,
  readBucketReceipt,
} from '../../src/queue/index.ts';
import { DIRECTORY_SETTINGS, Sequencer, type SequencerSettings } from '../../src/sequencer/index.ts';
import type { ObjectStore } from '../../src/store/index.ts';
import { audit, newLog, signer, type TestLog, treeHash, utf8, verifier } from '../sequencer/harness.ts';
import { dice, LATEST, type Life, never, pass, shaky, turn, type Weather } from './shaky-store.ts';

const SEED = Number(process.env['STELE_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['STELE_ROUNDS'] ?? Number.POSITIVE_INFINITY);
const RUN_MS = 60_000;
/** Rounds take a few thousand turns of the event loop; one that takes this many is stuck. */
const MAX_TURNS = 200_000;
interface World extends Weather {
  readonly log: TestLog;
  /** A dedup window so narrow that the writers jump beyond it: entries further apart may be logged again. */
  readonly narrow: boolean;
  readonly jumps: boolean;
  readonly distinct: number;
  readonly settings: SequencerSettings;
  readonly acknowledged: Map<string, number>;
  readonly problems: string[];
  /** What was put into the queue that all writers share; undefined: each has its own. */
  readonly items: { name: string; entries: string[] }[] | undefined;
  mayFreeze: boolean;
  frozen: boolean;
}

/** Holds an answer to those that came before it. */
function acknowledge(world: World, entries: readonly string[], { outcomes, treeSize }: Receipt): void {
  const { acknowledged, problems, narrow, frozen } = world;
  for (const [k, outcome] of outcomes.entries()) {
    const entry = entries[k] ?? '';
    if ('refused' in outcome) {
      if (!frozen) problems.push(`${entry} was refused: ${outcome.refused}`);
      continue;
    }
    const told = acknowledged.get(entry) ?? outcome.index;
    if (told !== outcome.index && !narrow) problems.push(`${entry} was told ${told} and ${outcome.index}`);
    if (outcome.index >= treeSize) problems.push(`${entry} was acknowledged before it was published`);
    acknowledged.set(entry, outcome.index);
  }
}

/** One process, from its start to its end or its crash; the number of entries it submitted. */
async function live(world: World, life: Life, crashes: boolean): Promise<number> {
  const { dice: d, log, problems, items } = world;
  let now = 1_800_000_000_000;
  const clock: Clock = {
    now: () => now,
    async sleep(ms, signal) {
      if (ms >= world.settings.drainDeadlineMs) return never; // time is not the question here
      for (let i = Math.min(30, ms / 20); i >= 0 && !signal?.aborted; i--) await turn();
      now += ms;
      if (life.dead) await never;
    },
  };
  const stores = {
    publicStore: shaky(log.publicStore, life, world),
    privateStore: shaky(log.privateStore, life, world),
  };
  const memory = new MemoryQueue({ limits: { ...QUEUE_LIMITS, maxAgeMs: Number.POSITIVE_INFINITY }, clock });
  const submitter = new BucketSubmitter(sharedQueue(log.privateStore), { clock });
  // A look into the queue is all or nothing, and asks for every item: a bucket store tries each of them again.
  const steadier = shaky(log.privateStore, life, { ...world, faults: world.faults / 15 });
  const queue = items === undefined ? memory : new BucketQueue(sharedQueue(steadier), { clock });
  const settings = {
    ...world.settings,
    publishIntervalMs: d.oneOf(0, 20, 200),
    commitIntervalMs: d.oneOf(0, 0, 100),
    republishMs: d.oneOf(0, 0, 300),
  };
  const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => d.below(256));
  const deps = { ...stores, queue, signer, verifier, clock, random, settings };
  const sequencer = await Sequencer.open(deps).catch(async (error: unknown) => {
    if (!isSteleError(error, 'unreachable', 'busy')) problems.push(`opening: ${error}`);
    await turn();
    return undefined;
  });
  if (sequencer === undefined) return 0;

  let submitted = 0;
  const submit = async (): Promise<void> => {
    const start = d.below(world.distinct);
    const entries = Array.from({ length: 1 + d.below(d.chance(0.2) ? 40 : 6) }, (_, i) => `e${start + i}`);
    submitted += entries.length;
    if (items === undefined) return acknowledge(world, entries, await memory.submit(entries.map(utf8)));
    for (const name of await submitter.submit(entries.map(utf8))) items.push({ name, entries });
  };
  const wander = (): void => {
    if (world.jumps && d.chance(0.1)) now += (d.next() - 0.5) * 7_200_000;
  };
  const serve = async (): Promise<void> => {
    const stop = new AbortController();
    const running = sequencer.run(stop.signal, 'queued');
    running.catch((error: SteleError) => memory.close(error));
    const answers: Promise<void>[] = [];
    for (let i = d.below(12); i >= 0; i--) {
      const answer = submit();
      answers.push(answer);
      await (d.chance(0.5) ? answer : pass(d.below(10)));
      wander();
    }
    if (d.chance(0.5)) await Promise.all(answers);
    stop.abort();
    await Promise.all([running, ...answers]);
  };
  const rounds = async (): Promise<void> => {
    for (let i = d.below(12); i >= 0; i--) {
      const answers = Array.from({ length: d.below(4) }, submit);
      await Promise.all([sequencer.drain(), ...answers]);
      wander();
      await pass(d.below(10));
    }
  };
  const work = async (): Promise<void> => {
    await (d.chance(0.5) ? serve() : rounds());
    if (!world.mayFreeze || d.chance(0.9)) return;
    world.frozen = true;
    await sequencer.freeze();
  };
  const crash = crashes && d.chance(0.6) ? pass(d.below(400)) : never;
  await Promise.race([work(), crash]).catch((error: Error) => problems.push(`${error.stack}`));
  life.dead = true;
  return submitted;
}

const sharedQueue = (store: ObjectStore): BucketPlace => ({ store, prefix: 'queue/' });

/** Everything that is left in the shared queue is answered, and every item has its receipt. */
async function finishItems(world: World): Promise<void> {
  const { log, settings, items = [] } = world;
  const clock: Clock = { now: () => 1_800_000_000_000, sleep: turn };
  const queue = new BucketQueue(sharedQueue(log.privateStore), { clock });
  const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => world.dice.below(256));
  const sequencer = await Sequencer.open({
    ...log,
    queue,
    signer,
    verifier,
    clock,
    random,
    settings: { ...settings, publishIntervalMs: 0 },
  });
  await sequencer.drain();
  for (const { name, entries } of items) {
    const receipt = await readBucketReceipt(sharedQueue(log.privateStore), name);
    assert.ok(receipt, `${name} is answered`);
    acknowledge(world, entries, receipt);
  }
}

async function round(seed: number): Promise<number> {
  const d = dice(seed);
  const log = await newLog();
  const signed: { size: number; root: Uint8Array }[] = [];
  const replace: ObjectStore['replace'] = (key, bytes, meta, etag) => {
    signed.push(openCheckpoint(bytes, verifier)); // whether it gets there or not
    return log.publicStore.replace(key, bytes, meta, etag);
  };
  const narrow = d.chance(0.25);
  const dedupWindow = narrow ? 20 + d.below(60) : 5_000;
  const world: World = {
    log: { ...log, publicStore: { ...log.publicStore, replace } },
    dice: d,
    faults: d.oneOf(0, 0.01, 0.05, 0.15),
    slowness: d.oneOf(0, 1, 3, 8),
    narrow,
    jumps: d.chance(0.3),
    distinct: 30 + d.below(600),
    settings: {
      ...DIRECTORY_SETTINGS,
      drainDeadlineMs: 1e9,
      dedupWindow,
      maxBatchEntries: d.oneOf(3, 10, 100, 300),
      maxUnpublishedEntries: narrow ? 20 : d.oneOf(20, 5_000),
    },
    acknowledged: new Map(),
    problems: [],
    items: d.chance(0.4) ? [] : undefined,
    mayFreeze: d.chance(0.15),
    frozen: false,
  };
  const lives: Life[] = [];
  const writer = async (): Promise<void> => {
    for (let left = 300; left > 0 && world.problems.length === 0; ) {
      const life: Life = { dead: false };
      lives.push(life);
      left -= await live(world, life, true);
    }
  };
  const writing = Promise.all(Array.from({ length: 1 + d.below(3) }, writer)).then(() => 'done');
  let over = false;
  const stuck = (async () => {
    for (let i = 0; i < MAX_TURNS && !over; i++) await turn();
    return 'stuck';
  })();
  assert.equal(await Promise.race([writing, stuck]), 'done', 'every drain, run and freeze comes to its end');
  over = true;
  for (const life of lives) life.dead = true;
  await pass(2 * LATEST); // until all has landed
  await live({ ...world, faults: 0, slowness: 0 }, { dead: false }, false); // publishes what was left
  await finishItems(world);
  assert.deepEqual(world.problems, []);

  const entries = (await audit(log)).map((entry) => Buffer.from(entry).toString());
  const last = new Map<string, number>();
  for (const [index, entry] of entries.entries()) {
    const before = last.get(entry);
    assert.ok(before === undefined || (narrow && index - before > dedupWindow), `${entry}: ${before} and ${index}`);
    last.set(entry, index);
  }
  for (const [entry, index] of world.acknowledged) assert.equal(entries[index], entry, `what index ${index} holds`);
  const hashes = entries.map((entry) => createHash('sha256').update('\0').update(entry).digest());
  for (const size of new Set(signed.map((tree) => tree.size))) {
    const roots = new Set(
      signed.filter((tree) => tree.size === size).map(({ root }) => Buffer.from(root).toString('hex')),
    );
    assert.deepEqual([...roots], [treeHash(hashes.slice(0, size)).toString('hex')], `what was signed at size ${size}`);
  }
  return world.acknowledged.size;
}

test(`rivals on a shaky store sign one history and keep what they acknowledge; seed ${SEED}`, async () => {
  const end = performance.now() + RUN_MS;
  let acknowledged = 0;
  let seed = SEED;
  for (; seed < SEED + ROUNDS && performance.now() < end; seed++) {
    try {
      acknowledged += await round(seed);
    } catch (error) {
      throw new Error(`STELE_SEED=${seed}`, { cause: error });
    }
  }
  assert.ok(acknowledged > seed - SEED, `${acknowledged} entries were acknowledged in ${seed - SEED} rounds`);
});
