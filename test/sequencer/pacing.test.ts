/** How often a writer commits, where requests take their time and cost money. */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { Clock } from '../../src/clock.ts';
import { BUCKET_SETTINGS } from '../../src/sequencer/index.ts';
import {
  audit,
  entriesFrom,
  type Fault,
  type FaultyStore,
  faulty,
  newLog,
  openWriter,
  type TestLog,
  utf8,
} from './harness.ts';
import { steppedClock } from './stepped-clock.ts';

/** A log whose every operation takes so long, there and back. */
function distant(log: TestLog, clock: Clock, ms: number): { publicStore: FaultyStore; privateStore: FaultyStore } {
  const pause = (): Promise<void> => clock.sleep(ms / 2);
  const plan = (): Fault => ({ before: pause, after: pause });
  return { publicStore: faulty(log.publicStore, plan), privateStore: faulty(log.privateStore, plan) };
}

test('entries that keep coming are committed about as often as they are published, a full batch at once', async () => {
  const log = await newLog();
  const clock = steppedClock();
  const stores = distant(log, clock, 20);
  const opening = openWriter(stores, { ...BUCKET_SETTINGS, maxBatchEntries: 1_000 }, clock);
  const { sequencer, queue } = await clock.run(opening);
  const stop = new AbortController();
  const running = sequencer.run(stop.signal);
  const commits = (): number => stores.privateStore.calls.filter((call) => call.startsWith('create')).length;
  const answers: Promise<unknown>[] = [];
  const feed = async (): Promise<void> => {
    for (let i = 0; i < 500; i++) {
      answers.push(queue.submit(entriesFrom(i, 1)));
      await clock.sleep(10);
    }
    await Promise.all(answers);
  };
  await clock.run(feed());
  assert.ok(commits() >= 5 && commits() <= 7, `${commits()} commits in five seconds`);
  const before = commits();
  const began = clock.now();
  await clock.run(queue.submit(entriesFrom(500, 4_000)));
  assert.ok(commits() - before >= 4 && clock.now() - began < 2_500, `${commits()} commits, ${clock.now() - began} ms`);
  stop.abort();
  await clock.run(running);
});

test('a writer with little to log is not kept waiting by one that always has something, and is nearer to the store', async () => {
  const log = await newLog();
  const clock = steppedClock();
  const busy = await clock.run(openWriter(distant(log, clock, 20), BUCKET_SETTINGS, clock));
  const lone = await clock.run(openWriter(distant(log, clock, 24), BUCKET_SETTINGS, clock));
  const stop = new AbortController();
  const running = Promise.all([busy.sequencer.run(stop.signal), lone.sequencer.run(stop.signal)]);
  const answers: Promise<unknown>[] = [];
  const feed = async (): Promise<void> => {
    for (let i = 0; i < 800; i++) {
      answers.push(busy.queue.submit(entriesFrom(i, 1)));
      await clock.sleep(5);
    }
  };
  const waits = async (): Promise<number[]> => {
    await clock.sleep(500);
    const times: number[] = [];
    for (let i = 0; i < 2; i++) {
      const began = clock.now();
      await lone.queue.submit([utf8(`lone ${i}`)]);
      times.push(clock.now() - began);
    }
    return times;
  };
  const [times] = await clock.run(Promise.all([waits(), feed()]));
  for (const ms of times) assert.ok(ms < 2_500, `answered after ${ms} ms`);
  await clock.run(Promise.all(answers));
  stop.abort();
  await clock.run(running);
  assert.equal((await audit(log)).length, 802);
});

test('what is worth 64 tiles is published before the interval is over, unless witnesses are to be asked', async () => {
  const taken = async (entries: number, unusual: Parameters<typeof openWriter>[3] = {}): Promise<number> => {
    const clock = steppedClock();
    const log = distant(await newLog(), clock, 2);
    const { sequencer, queue } = await clock.run(openWriter(log, { publishIntervalMs: 10_000 }, clock, unusual));
    const stop = new AbortController();
    const running = sequencer.run(stop.signal);
    await clock.run(queue.submit(entriesFrom(0, 1))); // the first publication waits for nothing
    const began = clock.now();
    await clock.run(queue.submit(entriesFrom(1, entries)));
    stop.abort();
    await clock.run(running);
    return clock.now() - began;
  };
  const enough = await taken(64 * 256);
  assert.ok(enough < 1_000, `${enough} ms`);
  for (const [what, waited] of [
    ['one entry less', await taken(64 * 256 - 1)],
    ['with witnesses', await taken(64 * 256, { cosign: async (note) => note })],
  ] as const) {
    assert.ok(waited > 9_000 && waited < 11_000, `${what}: ${waited} ms`);
  }
});
