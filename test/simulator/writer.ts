/** A machine that keeps a sequencer running: one life after another, each the program's own Sequencer. */

import { isSteleError, type SteleError } from '../../src/errors.ts';
import { addSignatures, parseNote, signNote } from '../../src/note/index.ts';
import { MemoryQueue, QUEUE_LIMITS, type Receipt, type SubmissionQueue } from '../../src/queue/index.ts';
import { type Cosign, Sequencer } from '../../src/sequencer/index.ts';
import { entriesOf } from '../../src/tiles/index.ts';
import { logSigner, logVerifier, witnesses } from './keys.ts';
import { MemoryOfOlder } from './memory-of-older.ts';
import { storeOver } from './network.ts';
import type { Scene } from './scene.ts';
import type { Life } from './world.ts';

const POLL_MS = 1_000;

export class Writer {
  readonly #scene: Scene;
  readonly #number: number;
  #lives = 0;
  #life: Life | undefined;
  #queue: MemoryQueue | undefined;
  #offsetMs = 0;
  readonly #older: MemoryOfOlder;
  /** It found that the stores do not belong together, and stays down until somebody looks. */
  refused = false;

  constructor(scene: Scene, number: number) {
    this.#scene = scene;
    this.#number = number;
    this.#older = new MemoryOfOlder(scene.world);
  }

  get life(): Life | undefined {
    return this.#life;
  }

  /** Hands entries to the process; undefined where none runs that takes them. */
  submit(entries: readonly Uint8Array[]): Promise<Receipt> | undefined {
    return this.#queue?.submit(entries);
  }

  start(): void {
    if (this.refused) return;
    const { world } = this.#scene;
    this.#lives += 1;
    const life: Life = { name: `W${this.#number}.${this.#lives}`, dead: false, pausedUntil: 0 };
    this.#life = life;
    world.note(`${life.name} starts`);
    const ended = (how: string, error?: unknown): void => {
      if (life.dead) return;
      this.#end(`${how}${error === undefined ? '' : `: ${(error as Error).message}`}`);
      if (error !== undefined) this.#judge(error);
      this.#startLater(200 * world.dice.real());
    };
    this.#live(life).then(
      () => ended('ends'),
      (error) => ended('fails', error),
    );
  }

  /** The process is gone between two of its steps, and with it all it held; what it sent may still arrive. */
  crash(): void {
    if (this.#life === undefined) return;
    this.#end('crashes');
    this.#startLater(this.#scene.calm ? 10 : 3_000 * this.#scene.world.dice.real() ** 2);
  }

  /** For good. */
  stop(): void {
    if (this.#life !== undefined) this.#end('is stopped');
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
    this.#scene.world.note(`the clock of W${this.#number} jumps by ${ms} ms`);
  }

  #end(how: string): void {
    if (this.#life === undefined) return;
    this.#scene.world.note(`${this.#life.name} ${how}`);
    this.#life.dead = true;
    this.#life = undefined;
    this.#queue = undefined;
  }

  #startLater(ms: number): void {
    const start = (): void => {
      if (this.#life === undefined && !this.#scene.stopped) this.start();
    };
    this.#scene.world.plan(ms, '', start);
  }

  /** Which errors may end a process: those that say that trying again helps. */
  #judge(error: unknown): void {
    const { world, disaster } = this.#scene;
    if (isSteleError(error, 'unreachable', 'busy', 'aborted')) return;
    if (disaster && isSteleError(error, 'refused', 'corrupt')) {
      this.refused = true;
      return;
    }
    world.violation(`W${this.#number} failed: ${error}`);
    if (error instanceof Error) world.trace?.push(error.stack ?? '');
  }

  async #live(life: Life): Promise<void> {
    const { world, profile, network, publicDisk, privateDisk, oracle, shared } = this.#scene;
    const { dice } = world;
    const clock = world.clockOf(life, () => this.#offsetMs);
    const own = new MemoryQueue({ limits: QUEUE_LIMITS, clock });
    if (dice.chance(0.1)) this.#older.damage();
    const queue = this.#watched(shared?.openFor(life, POLL_MS) ?? own);
    const sequencer = await Sequencer.open({
      publicStore: storeOver(network, publicDisk, life, profile.pageSize),
      privateStore: storeOver(network, privateDisk, life, profile.pageSize),
      queue,
      signer: oracle.spyOn(logSigner),
      verifier: logVerifier,
      clock,
      random: (length) => dice.bytes(length),
      settings: profile.settings,
      ...(profile.remembers && { older: this.#older.openFor(life) }),
      ...(profile.cosigned && { cosign: this.#cosign(life) }),
    });
    if (this.#scene.takeFreeze()) {
      await sequencer.freeze();
      return;
    }
    this.#queue = own;
    try {
      if (!this.#scene.calm && dice.chance(0.3)) {
        for (let i = dice.below(6); i >= 0; i--) {
          await sequencer.drain();
          await clock.sleep(300 * dice.real());
        }
        await sequencer.drain();
      } else {
        const stop = new AbortController();
        const uptime = this.#scene.calm ? 1e9 : 8_000 * dice.real();
        world.plan(uptime, `${life.name} is asked to stop`, () => stop.abort(), life);
        await sequencer.run(stop.signal, shared === undefined ? 'queued' : dice.oneOf('queued', 'delivered'));
      }
    } catch (error) {
      await own.close(error as SteleError);
      throw error;
    }
    await own.close();
  }

  /** Every answer is shown to the oracle at the moment it is given. */
  #watched(queue: SubmissionQueue): SubmissionQueue {
    const { oracle } = this.#scene;
    const items = new Map<string, readonly string[]>();
    return {
      receive: async (maxBytes) => {
        const received = await queue.receive(maxBytes);
        for (const { id, entries } of received) {
          items.set(
            id,
            entriesOf(entries).map((entry) => Buffer.from(entry).toString('latin1')),
          );
        }
        return received;
      },
      wait: (signal) => queue.wait(signal),
      answer: (answers) => {
        for (const { item, receipt } of answers) oracle.onAnswer(items.get(item.id) ?? [], receipt);
        return queue.answer(answers);
      },
      redeliver: () => queue.redeliver(),
      close: () => queue.close(),
    };
  }

  /** One of two witnesses adds its line: writers of one tree may have different ones. */
  #cosign(life: Life): Cosign {
    const { network, world } = this.#scene;
    return async (note) => {
      const [a, b] = witnesses;
      const witness = world.dice.oneOf(a, b);
      await network.read(life, `cosignature of ${witness.name}`, () => {});
      return addSignatures(note, await signNote(parseNote(note).text, [witness]));
    };
  }
}
