/**
 * The world of one schedule: a time that only events move, and the order in which they happen, drawn from a seed.
 *
 * Whatever the simulated parts wait for is an event here; nothing else resolves a promise. One event is fired at a time,
 * and the program runs until it waits again before the next: so a seed is a run, byte for byte.
 */

import type { Clock } from '../../src/clock.ts';
import { type Dice, diceOf } from './dice.ts';

/** One life of a process. Dead, it hears of nothing any more; paused, it hears of everything later. */
export interface Life {
  readonly name: string;
  dead: boolean;
  pausedUntil: number;
}

export interface Planned {
  readonly at: number;
  readonly order: number;
  readonly what: string;
  readonly act: () => void;
  /** Whose event it is; undefined: it happens whoever lives. */
  readonly life: Life | undefined;
  /** A write on its way to a store: an operator who stops everything waits for it, or sees that it never lands. */
  readonly isLanding: boolean;
  cancelled: boolean;
}

/** Where time begins, in ms since 1970. */
const EPOCH = 1_800_000_000_000;

/** The event loop's own queue is empty when this resolves: all that could run has run. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export class World {
  readonly dice: Dice;
  /** Milliseconds since the beginning. */
  now = 0;
  fired = 0;
  /** Lines of what happened, where somebody wants to read them. */
  readonly trace: string[] | undefined;
  /** What went wrong; the first ends the run. */
  readonly violations: string[] = [];
  /** Called after each event of a life: the moment at which it may crash or pause. */
  afterStep: (life: Life) => void = () => {};
  #planned: Planned[] = [];
  #order = 0;
  #hash = 0x811c9dc5;

  constructor(seed: number, traced: boolean) {
    this.dice = diceOf(seed);
    this.trace = traced ? [] : undefined;
  }

  /** A number of all that happened: equal for equal runs. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  /** Part of what makes a run this run, and a line of its trace. */
  note(text: string): void {
    let hash = this.#hash;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    this.#hash = Math.imul(hash ^ Math.floor(this.now * 1000), 0x01000193);
    this.trace?.push(`${this.now.toFixed(1).padStart(10)}  ${text}`);
  }

  violation(text: string): void {
    this.note(`VIOLATION: ${text}`);
    this.violations.push(text);
  }

  plan(inMs: number, what: string, act: () => void, life?: Life, isLanding = false): Planned {
    const planned = { at: this.now + inMs, order: this.#order++, what, act, life, isLanding, cancelled: false };
    this.#push(planned);
    return planned;
  }

  sleep(ms: number, what: string, life?: Life): Promise<void> {
    return new Promise((resolve) => this.plan(ms, what, resolve, life));
  }

  /** The clock of a process; `offset` may change while it runs. */
  clockOf(life: Life, offset: () => number): Clock {
    return {
      now: () => Math.floor(EPOCH + this.now + offset()),
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve();
          const over = (): void => {
            planned.cancelled = true;
            signal?.removeEventListener('abort', over);
            resolve();
          };
          const planned = this.plan(ms, '', over, life);
          signal?.addEventListener('abort', over);
        }),
    };
  }

  /** Fires events until `isOver`, or until a violation; `stuck` where there are none left, or more than `maxEvents`. */
  async run(isOver: () => boolean, maxEvents: number): Promise<'over' | 'stuck'> {
    let last: Life | undefined;
    for (let count = 0; count < maxEvents; count++) {
      await settled();
      if (last !== undefined) this.afterStep(last);
      if (this.violations.length > 0 || isOver()) return 'over';
      const next = this.#pop();
      if (next === undefined) return 'stuck';
      this.now = next.at;
      this.fired += 1;
      if (next.what !== '') this.note(next.what);
      next.act();
      last = next.life;
    }
    return 'stuck';
  }

  /** Everything that is still on its way lands, in its order; or nothing of it ever does. */
  landAll(lands: boolean): void {
    const landing = this.#planned.filter((planned) => planned.isLanding && !planned.cancelled);
    for (const planned of landing.sort(before)) {
      planned.cancelled = true;
      if (!lands) continue;
      this.note(planned.what);
      planned.act();
    }
  }

  #pop(): Planned | undefined {
    for (;;) {
      const next = this.#shift();
      if (next === undefined || next.cancelled || next.life?.dead) {
        if (next === undefined) return undefined;
        continue;
      }
      const until = next.life?.pausedUntil ?? 0;
      if (until <= next.at) return next;
      this.#push({ ...next, at: until, order: next.order }); // its order holds among what waits for the end of the pause
    }
  }

  #push(planned: Planned): void {
    const heap = this.#planned;
    let at = heap.length;
    heap.push(planned);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || before(above, planned) < 0) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = planned;
  }

  #shift(): Planned | undefined {
    const heap = this.#planned;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      const smaller = right !== undefined && before(right, left) < 0 ? right : left;
      if (smaller === right) child += 1;
      if (before(last, smaller) < 0) break;
      heap[at] = smaller;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(one: Planned, other: Planned): number {
  return one.at - other.at || one.order - other.order;
}
