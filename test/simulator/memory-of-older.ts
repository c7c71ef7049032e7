/** What a machine remembers of entries before the dedup window, across its lives; now and then lost, or forged. */

import type { OlderEntries } from '../../src/sequencer/index.ts';
import type { Life, World } from './world.ts';

export class MemoryOfOlder {
  readonly #world: World;
  #known = new Map<string, number>();
  #covered = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** It is thrown away, or says of some entry that it is where another one is (CORRUPT-10). */
  damage(): void {
    const { dice } = this.#world;
    if (dice.chance(0.7)) {
      this.#known.clear();
      this.#covered = 0;
      return;
    }
    for (const hash of this.#known.keys()) {
      if (dice.chance(0.3)) this.#known.set(hash, dice.below(this.#covered + 2));
    }
  }

  openFor(life: Life): OlderEntries {
    const memory = this;
    const world = this.#world;
    return {
      get covered() {
        return memory.#covered;
      },
      find: (leafHash) => memory.#known.get(nameOf(leafHash)),
      // A crash comes before it, or after it, and never in between.
      add: (first, hashes) =>
        new Promise((resolve) => {
          const names = Array.from({ length: hashes.length / 32 }, (_, i) =>
            nameOf(hashes.subarray(32 * i, 32 * i + 32)),
          );
          const waitMs = (world.dice.chance(0.3) ? 300 : 3) * world.dice.real();
          const keep = (): void => resolve(memory.#keep(first, names));
          world.plan(waitMs, `${life.name} remembers ${names.length} entries from ${first} on`, keep, life);
        }),
      forget: () => {
        memory.#known.clear();
        memory.#covered = 0;
      },
    };
  }

  /** What leaves a gap is not taken: everything before it was forgotten since the writer sent it. */
  #keep(first: number, names: readonly string[]): void {
    for (const [i, name] of names.entries()) {
      if (first + i !== this.#covered) continue;
      if (!this.#known.has(name)) this.#known.set(name, first + i);
      this.#covered += 1;
    }
  }
}

const nameOf = (leafHash: Uint8Array): string => Buffer.from(leafHash).toString('latin1');
