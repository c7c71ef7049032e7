/** What may happen next: every step of every writer, every request that lands, every disaster. */

import { confirm, doubt, extendsTree, list, walk } from './loading.ts';
import { type Bounds, checkEntries, checkFrozen, publish, type Rule, sign } from './rules.ts';
import {
  added,
  copyOf,
  endOf,
  extended,
  FREEZE,
  idle,
  isOn,
  restart,
  type State,
  treeOf,
  type Writer,
} from './state.ts';

/** One step of a writer, which changes the state it is given. */
type Act = (s: State, w: Writer) => void;

export class Protocol {
  readonly #bounds: Bounds;
  readonly #without: Rule | undefined;

  constructor(bounds: Bounds, without?: Rule) {
    this.#bounds = bounds;
    this.#without = without;
  }

  /** Throws Violation for a step that no run may ever take. */
  *successors(state: State): Generator<State> {
    yield* this.#landings(state);
    yield* this.#disasters(state);
    for (const i of state.writers.keys()) {
      const steps = this.#steps(state, i);
      const { at } = state.writers[i] ?? idle();
      const crashes = at !== 'load' && at !== 'refused' && state.crashes < this.#bounds.crashes;
      if (crashes) {
        steps.push((s, w) => {
          s.crashes += 1;
          restart(w);
        });
      }
      for (const step of steps) {
        const next = copyOf(state);
        step(next, next.writers[i] ?? idle());
        yield next;
      }
    }
  }

  readonly #holds = (rule: Rule): boolean => this.#without !== rule;

  *#landings(state: State): Generator<State> {
    for (const [k, [base, record]] of state.creates.entries()) {
      const next = copyOf(state);
      next.creates.splice(k, 1);
      next.journal[base] ??= record;
      yield next;
    }
    for (const [k, [from, to]] of state.swaps.entries()) {
      const next = copyOf(state);
      next.swaps.splice(k, 1);
      if (next.checkpoint === from) publish(next, to);
      yield next;
    }
  }

  /** Everything is stopped, nothing is under way; then a store is not what it was. */
  *#disasters(state: State): Generator<State> {
    if (state.disasters >= this.#bounds.disasters) return;
    const stopped = (): State => {
      const next = copyOf(state);
      next.disasters += 1;
      next.creates = [];
      next.swaps = [];
      next.writers.forEach(restart);
      return next;
    };
    for (const older of state.past) {
      if (older !== state.checkpoint && state.checkpoint.startsWith(older)) yield { ...stopped(), checkpoint: older };
    }
    // Whoever loses a journal of which nothing was ever published has lost nothing that anybody was told of.
    if (state.checkpoint !== '') yield { ...stopped(), journal: {} };
  }

  #steps(state: State, i: number): Act[] {
    const writer = state.writers[i] ?? idle();
    switch (writer.at) {
      case 'load':
        return [(s, w) => Object.assign(w, idle(), { at: 'list', base: s.checkpoint, published: s.checkpoint })];
      case 'list':
        return [(s, w) => list(s, w, this.#holds)];
      case 'walk':
        return [(s, w) => walk(s, w, this.#holds)];
      case 'confirm':
        return [(s, w) => confirm(s, w, this.#holds)];
      case 'doubt':
        return [(s, w) => doubt(s, w)];
      case 'refused':
        return [];
      case 'ready':
        return this.#ready(state, writer, this.#bounds.wanted[i] ?? '');
      case 'read':
        return [(s, w) => this.#found(s, w)];
      case 'authority':
        return [(s, w) => this.#authority(s, w)];
      case 'swap':
        return this.#swap(state);
      case 'look':
        return [(s, w) => this.#look(s, w)];
      case 'collect':
        return this.#collect(state);
    }
  }

  #ready(state: State, writer: Writer, wanted: string): Act[] {
    const steps: Act[] = [];
    const tree = treeOf(writer);
    if (tree !== writer.published) {
      steps.push((s, w) => {
        sign(s, tree);
        w.at = 'swap';
      });
    }
    if (writer.frozen) return steps;
    const known = this.#holds('backfill') ? tree : writer.tail.join('');
    const pending = [...wanted].filter((entry) => !known.includes(entry)).join('');
    const batches = [1, 2]
      .filter((n) => n <= Math.min(pending.length, this.#bounds.batch))
      .map((n) => pending.slice(0, n));
    const freezes = state.freezes < this.#bounds.freezes;
    if (freezes && !this.#holds('freeze-key')) {
      steps.push((s, w) => {
        s.freezes += 1;
        w.frozen = true;
        s.frozen = tree;
        checkFrozen(s, s.signed);
      });
    }
    for (const batch of [...(tree.length < this.#bounds.size ? batches : []), ...(freezes ? [FREEZE] : [])]) {
      const record = `${tree}>${batch}`;
      const begin = (s: State, w: Writer): void => {
        if (batch === FREEZE) s.freezes += 1;
        Object.assign(w, { record, isOwn: true });
      };
      steps.push((s, w) => {
        begin(s, w);
        s.journal[tree.length] ??= record;
        this.#found(s, w);
      });
      if (state.creates.length > 0) continue;
      steps.push((s, w) => {
        begin(s, w);
        s.creates.push([tree.length, record]);
        w.at = 'read';
      });
    }
    return steps;
  }

  /** What stands at the key that the writer created, or tried to. Nothing: it tries again. */
  #found(s: State, w: Writer): void {
    const record = s.journal[treeOf(w).length];
    const isOwn = record === w.record;
    if (isOwn && !this.#holds('sign-after-authority')) sign(s, treeOf(w) + added(w.record).replace(FREEZE, ''));
    Object.assign(w, { at: record === undefined ? 'ready' : 'authority', record: record ?? '', isOwn });
  }

  #authority(s: State, w: Writer): void {
    const { record, isOwn } = w;
    const isFreeze = added(record) === FREEZE;
    const counts = !this.#holds('authority') || (isFreeze && isOwn && !this.#holds('freeze-authority'));
    if (!counts && (s.checkpoint.length > treeOf(w).length || !isOn(s.checkpoint, w))) {
      // What it has in common with the log at that place are all of its entries: none.
      if (isFreeze && isOwn && !this.#holds('freeze-again')) s.frozen = extended(record);
      checkFrozen(s, s.signed);
      restart(w);
      return;
    }
    Object.assign(w, { record: '', isOwn: false });
    if (!extendsTree(record, treeOf(w), this.#holds)) {
      w.published = s.checkpoint;
      w.at = 'doubt';
      return;
    }
    if (isOn(s.checkpoint, w)) w.published = s.checkpoint;
    w.at = 'ready';
    if (!isFreeze) w.tail.push(added(record));
    else {
      w.frozen = true;
      if (isOwn) s.frozen = treeOf(w);
    }
    checkFrozen(s, s.signed);
    checkEntries(treeOf(w));
    checkFrozen(s, treeOf(w));
  }

  #swap(state: State): Act[] {
    const answered = (s: State, w: Writer): void => {
      if (s.checkpoint !== w.published && this.#holds('swap')) {
        this.#look(s, w);
        return;
      }
      publish(s, treeOf(w));
      Object.assign(w, { published: treeOf(w), at: 'collect' });
    };
    const unanswered = (s: State, w: Writer): void => {
      s.swaps.push([w.published, treeOf(w)]);
      w.at = 'look';
    };
    return state.swaps.length > 0 ? [answered] : [answered, unanswered];
  }

  /** Lost, or unknown: what stands there decides. */
  #look(s: State, w: Writer): void {
    const tree = treeOf(w);
    if (!tree.startsWith(s.checkpoint))
      restart(w); // ahead of us
    else Object.assign(w, { published: s.checkpoint, at: s.checkpoint === tree ? 'collect' : 'ready' });
  }

  /** Oldest first, one at a time, all or some: what ends below the published size. */
  #collect(state: State): Act[] {
    const steps: Act[] = [
      (_, w) => {
        w.at = 'ready';
      },
    ];
    const bases = Object.keys(state.journal).map(Number);
    steps.push((s, w) => {
      const size = w.published.length;
      const last = bases.findLast((base) => base < size);
      const [oldest = size] = bases;
      if (last === undefined || oldest > last || (oldest === last && this.#holds('keep-last'))) w.at = 'ready';
      else if (endOf(oldest, s.journal[oldest] ?? '') <= size || oldest < last) delete s.journal[oldest];
    });
    return steps;
  }
}
