/** Those who submit, and submit again what was not answered in time; some of them the same entries. */

import { isSteleError } from '../../src/errors.ts';
import type { Receipt } from '../../src/queue/index.ts';
import { baseEntry } from './base-log.ts';
import type { Scene } from './scene.ts';
import type { Writer } from './writer.ts';

export class Submitters {
  /** Batches that nobody has answered yet. */
  outstanding = 0;
  readonly #scene: Scene;
  readonly #writers: readonly Writer[];

  constructor(scene: Scene, writers: readonly Writer[]) {
    this.#scene = scene;
    this.#writers = writers;
    const { submitters, batches } = scene.profile;
    this.outstanding = submitters * batches;
    for (let i = 0; i < submitters; i++) void this.#submitAll(batches);
  }

  async #submitAll(batches: number): Promise<void> {
    const { world, profile } = this.#scene;
    const { dice } = world;
    for (let i = 0; i < batches; i++) {
      await world.sleep(profile.chaosMs * 0.3 * dice.real(), '');
      const first = dice.below(profile.distinct);
      const count = 1 + dice.below(profile.batchEntries);
      const entries = Array.from({ length: count }, (_, k) => this.#entry(first + k));
      await this.#submit(entries);
      this.outstanding -= 1;
    }
  }

  /** Some are in the log from the beginning. */
  #entry(number: number): string {
    const { baseSize } = this.#scene.profile;
    return number % 3 === 0 && number < baseSize ? baseEntry(baseSize - 1 - number) : `entry ${number}`;
  }

  async #submit(entries: readonly string[]): Promise<void> {
    const { world } = this.#scene;
    const bytes = entries.map((entry) => Buffer.from(entry, 'latin1'));
    const patienceMs = 500 + 15_000 * world.dice.real();
    for (let answer: Receipt | undefined; answer === undefined; ) {
      const patience = world.sleep(patienceMs, '').then(() => undefined);
      answer = await Promise.race([this.#place(bytes), patience]);
      if (answer === undefined) await world.sleep(100 + 400 * world.dice.real(), '');
    }
  }

  /** The receipt; undefined: it was turned away. */
  async #place(entries: readonly Uint8Array[]): Promise<Receipt | undefined> {
    const { world, shared } = this.#scene;
    if (shared !== undefined) return shared.submit(entries);
    try {
      return await this.#writers[world.dice.below(this.#writers.length)]?.submit(entries);
    } catch (error) {
      if (!isSteleError(error)) world.violation(`submitting failed: ${error}`);
      return undefined;
    }
  }
}
