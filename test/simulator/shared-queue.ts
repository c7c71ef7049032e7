/** A queue across processes, at-least-once: what is delivered and not answered comes again, to anybody. */

import { SteleError } from '../../src/errors.ts';
import type { Answer, QueueItem, Receipt, SubmissionQueue } from '../../src/queue/index.ts';
import { encodeRun, sizeOf } from '../../src/tiles/index.ts';
import type { Network } from './network.ts';
import type { Life, World } from './world.ts';

interface Held extends QueueItem {
  readonly answered: (receipt: Receipt) => void;
  /** Nobody is given it before; moved by every delivery where items go to one process at a time. */
  hiddenUntil: number;
}

export class SharedQueue {
  readonly #world: World;
  readonly #network: Network;
  /** How long a delivered item is hidden from the others, in ms. 0: everybody is given everything. */
  readonly #hiddenMs: number;
  #items: Held[] = [];
  #named = 0;
  #bells = new Set<() => void>();

  constructor(world: World, network: Network, hiddenMs: number) {
    this.#world = world;
    this.#network = network;
    this.#hiddenMs = hiddenMs;
  }

  /** Resolves with the first answer. */
  submit(entries: readonly Uint8Array[]): Promise<Receipt> {
    return new Promise((answered) => {
      const arrive = (): void => {
        this.#items.push({ id: `item-${++this.#named}`, entries: encodeRun(entries), answered, hiddenUntil: 0 });
        for (const ring of this.#bells) ring();
      };
      this.#world.plan(this.#network.oneWay(), 'a submission arrives', arrive);
    });
  }

  /** As one process sees it. */
  openFor(life: Life, pollMs: number): SubmissionQueue {
    const world = this.#world;
    let delivered = new Set<string>();
    return {
      receive: async (maxBytes) => {
        const items = await this.#network.read(life, 'receive', () => this.#deliver(delivered, maxBytes));
        for (const { id } of items) delivered.add(id);
        return items;
      },
      wait: (signal) =>
        new Promise((resolve) => {
          const over = (): void => {
            poll.cancelled = true;
            this.#bells.delete(ring);
            signal.removeEventListener('abort', over);
            resolve();
          };
          const ring = (): void => void world.plan(this.#network.oneWay(), `${life.name} hears the bell`, over, life);
          const poll = world.plan(pollMs, `${life.name} polls`, over, life);
          if (signal.aborted) return over();
          signal.addEventListener('abort', over);
          this.#bells.add(ring);
        }),
      answer: async (answers) => {
        // A queue knows of no unknown outcome: an answer is given again until it is heard.
        const lost = (cause: unknown): never => {
          throw new SteleError('unreachable', 'the answer may have been lost (planted)', { cause });
        };
        await this.#network.write(life, `answer ${answers.length} items`, [() => this.#answer(answers)]).catch(lost);
      },
      redeliver: async () => {
        for (const item of this.#items) if (delivered.has(item.id)) item.hiddenUntil = 0;
        delivered = new Set();
      },
      close: async () => {},
    };
  }

  #deliver(delivered: ReadonlySet<string>, maxBytes: number): QueueItem[] {
    const { now } = this.#world;
    const items: QueueItem[] = [];
    let bytes = 0;
    for (const item of this.#items) {
      if (item.hiddenUntil > now || delivered.has(item.id)) continue;
      bytes += sizeOf(item.entries);
      if (items.length > 0 && bytes > maxBytes) break;
      items.push(item);
      item.hiddenUntil = now + this.#hiddenMs;
    }
    return items;
  }

  #answer(answers: readonly Answer[]): void {
    for (const { item, receipt } of answers) {
      this.#items.find(({ id }) => id === item.id)?.answered(receipt);
      this.#items = this.#items.filter(({ id }) => id !== item.id);
    }
  }
}
