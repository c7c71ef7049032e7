/**
 * An operator's mistake: everything is stopped, and an older public store put back, or the journal lost. Writers that
 * run on while that happens are no case: one that had loaded just that older tree cannot tell it from the latest.
 */

import { etagOf } from './disk.ts';
import type { Scene } from './scene.ts';
import { journalKey, readTree } from './tree.ts';
import type { Writer } from './writer.ts';

export class Disasters {
  readonly #scene: Scene;
  readonly #writers: readonly Writer[];
  /** The public store as it was when each checkpoint had just been published, oldest first. */
  readonly #older: ReadonlyMap<string, Uint8Array>[] = [];
  #latest = '';

  constructor(scene: Scene, writers: readonly Writer[]) {
    this.#scene = scene;
    this.#writers = writers;
  }

  /** Called after every step: keeps copies, and strikes once, when it is time. */
  mayStrike(): void {
    const { profile, publicDisk, world, disaster } = this.#scene;
    if (profile.disasterAfter === undefined || disaster) return;
    const checkpoint = publicDisk.objects.get('checkpoint');
    if (checkpoint === undefined) return;
    const version = etagOf(checkpoint);
    if (version !== this.#latest) this.#older.push(new Map(publicDisk.objects));
    this.#latest = version;
    if (this.#older.length <= profile.disasterAfter) return;
    // The worst moment is when the journal seems to go on from an older size.
    if (world.dice.chance(this.#inviting().length > 0 ? 0.2 : 0.02)) this.#strike();
  }

  /** Older stores whose size is where a record begins that was collected long ago, and created again by a late request. */
  #inviting(): ReadonlyMap<string, Uint8Array>[] {
    const { privateDisk } = this.#scene;
    const sizes = this.#older
      .slice(0, -2)
      .map((objects) => readTree(objects.get('checkpoint') ?? new Uint8Array()).size);
    return this.#older.filter((_, i) => privateDisk.objects.has(journalKey(sizes[i] ?? -1)));
  }

  #strike(): void {
    const { world, publicDisk, privateDisk, oracle } = this.#scene;
    const { dice } = world;
    this.#scene.disaster = true;
    for (const writer of this.#writers) writer.crash();
    // Whoever is stopped properly has nothing under way; a request that would land later is what no program can help.
    world.landAll(dice.chance(0.5));
    const { size } = readTree(publicDisk.objects.get('checkpoint') ?? new Uint8Array());
    // Before the first entry is published nothing contradicts an empty journal (tiles-spec/journal.md, "What is not noticed").
    if (dice.chance(0.3) && size > 0) {
      world.note('the journal is lost');
      for (const key of privateDisk.objects.keys()) if (key.startsWith('journal/')) privateDisk.objects.delete(key);
      return;
    }
    const inviting = this.#inviting();
    const from = inviting.length > 0 && dice.chance(0.7) ? inviting : this.#older;
    const older = from[dice.below(from.length)];
    if (older === undefined) return;
    publicDisk.objects = new Map(older);
    oracle.onRestored();
    world.note(`an older public store is put back, of size ${oracle.published}`);
  }
}
