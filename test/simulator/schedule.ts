/** One schedule: chaos for a while, then calm until everybody is answered, then the last look at everything. */

import type { Receipt } from '../../src/queue/index.ts';
import { baseLog } from './base-log.ts';
import { Disasters } from './disaster.ts';
import { Disk } from './disk.ts';
import { Network } from './network.ts';
import { Oracle } from './oracle.ts';
import { drawProfile } from './profile.ts';
import type { Scene } from './scene.ts';
import { SharedQueue } from './shared-queue.ts';
import { Submitters } from './submitter.ts';
import { type Life, World } from './world.ts';
import { Writer } from './writer.ts';

/** What is broken on purpose, outside the program. */
export interface Planted {
  readonly ignoresIfMatch: boolean;
}

export interface Outcome {
  readonly seed: number;
  readonly violations: readonly string[];
  /** Equal for equal runs. */
  readonly hash: number;
  readonly trace: readonly string[];
  readonly counts: Readonly<Record<Count, number>>;
}

export type Count =
  | 'events'
  | 'committed'
  | 'publications'
  | 'answered'
  | 'strays'
  | 'crashes'
  | 'pauses'
  | 'frozen'
  | 'disasters'
  | 'refused';

/** Events of one phase; a run that needs more is stuck. Most need some hundreds. */
const MAX_EVENTS = 60_000;
/** Collecting what the last publication made obsolete ends within so many ms of calm. */
const COLLECTING_MS = 500;

export async function runSchedule(seed: number, planted: Planted, traced: boolean): Promise<Outcome> {
  const world = new World(seed, traced);
  const { dice } = world;
  const profile = drawProfile(dice);
  world.note(`seed ${seed}: ${JSON.stringify(profile)}`);
  const base = await baseLog(profile.baseSize);
  const oracle: Oracle = new Oracle(
    base,
    profile.remembers ? Number.POSITIVE_INFINITY : profile.settings.dedupWindow,
    () => publicDisk.objects,
    (text) => world.violation(text),
  );
  const publicDisk: Disk = new Disk('public', base.publicObjects, oracle.publicObserver, planted);
  const privateDisk = new Disk('private', base.privateObjects, oracle.privateObserver, { ignoresIfMatch: false });
  const weather = { ...profile.weather };
  const network = new Network(world, weather);
  const hiddenMs = profile.queue === 'shared, to everybody' ? 0 : 2_000 + dice.below(20_000);
  let freezeAt = profile.freezeAfterMs;
  const scene: Scene = {
    world,
    profile,
    weather,
    network,
    publicDisk,
    privateDisk,
    oracle,
    shared: profile.queue === 'own' ? undefined : new SharedQueue(world, network, hiddenMs),
    calm: false,
    stopped: false,
    disaster: false,
    takeFreeze: () => {
      if (freezeAt === undefined || world.now < freezeAt) return false;
      freezeAt = undefined;
      return true;
    },
  };
  const counts = { crashes: 0, pauses: 0 };
  const writers = Array.from({ length: profile.writers }, (_, i) => new Writer(scene, i));
  for (const writer of writers) writer.start();
  const submitters = new Submitters(scene, writers);
  const disasters = new Disasters(scene, writers);
  world.afterStep = (life: Life): void => {
    if (life.dead || scene.calm) return;
    const writer = writers.find((one) => one.life === life);
    if (dice.chance(profile.crash)) {
      counts.crashes += 1;
      writer?.crash();
    } else if (dice.chance(profile.pause)) {
      counts.pauses += 1;
      life.pausedUntil = world.now + 10 + 10_000 * dice.real() ** 4;
      world.note(`${life.name} pauses until ${life.pausedUntil.toFixed(1)}`);
    }
    if (profile.clocksJump && dice.chance(0.005)) writer?.jump(Math.floor((dice.real() - 0.5) * 7_200_000));
    disasters.mayStrike();
  };

  await world.run(() => submitters.outstanding === 0 || world.now > profile.chaosMs, MAX_EVENTS);
  world.note('from now on nothing fails');
  scene.calm = true;
  Object.assign(weather, { faults: 0, tail: 0, latencyMs: 1 });
  for (const writer of writers) if (writer.life !== undefined) writer.life.pausedUntil = 0;
  const isDown = (): boolean => writers.every(({ refused }) => refused);
  const ended = await world.run(() => submitters.outstanding === 0 || isDown(), MAX_EVENTS);
  if (ended === 'stuck') world.violation(`${submitters.outstanding} submissions are never answered`);
  if (world.violations.length === 0 && !isDown()) await finish(scene, writers);
  return {
    seed,
    violations: world.violations,
    hash: world.hash,
    trace: world.trace ?? [],
    counts: {
      ...counts,
      events: world.fired,
      committed: oracle.history.size - profile.baseSize,
      publications: oracle.counts.publications,
      answered: oracle.counts.answered,
      strays: oracle.history.strays,
      frozen: oracle.history.frozen ? 1 : 0,
      disasters: scene.disaster ? 1 : 0,
      refused: writers.filter(({ refused }) => refused).length,
    },
  };
}

/** Everything on its way lands; then a new process loads the log and logs one entry more (O7). */
async function finish(scene: Scene, writers: readonly Writer[]): Promise<void> {
  const { world, oracle, privateDisk } = scene;
  scene.stopped = true;
  for (const writer of writers) writer.stop();
  world.landAll(true);
  const last = new Writer({ ...scene, shared: undefined, takeFreeze: () => false }, writers.length);
  last.start();
  let answered = false;
  const submit = async (): Promise<void> => {
    for (let receipt: Receipt | undefined; receipt === undefined; ) {
      receipt = await last.submit([Buffer.from('the last entry')]);
      await world.sleep(5, '');
    }
    answered = true;
  };
  void submit();
  const ended = await world.run(() => answered || last.refused, MAX_EVENTS);
  if (ended === 'stuck') world.violation('O7: a new writer logs nothing');
  if (world.violations.length === 0 && !last.refused) {
    const end = world.now + COLLECTING_MS;
    await world.run(() => world.now > end, MAX_EVENTS);
    last.stop();
    oracle.atTheEnd(privateDisk.objects.keys());
  }
}
