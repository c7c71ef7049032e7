/**
 * The commit protocol of DESIGN §5 as data: what the stores hold, what is on its way, what every writer knows.
 *
 * An entry is a letter, a tree the string of its entries (so its length is its size, and itself its root), a record
 * what it extends and what it adds: `a>bc` extends the tree of `a` by `b` and `c`; `a>!` freezes it.
 */

export const FREEZE = '!';

export type Step =
  /** Read the checkpoint, list the journal, walk it, read the checkpoint again. */
  | 'load'
  | 'list'
  | 'walk'
  | 'confirm'
  /** Something does not fit: if the checkpoint is what it was, refuse. */
  | 'doubt'
  | 'refused'
  | 'ready'
  /** A create of unknown outcome: read the key. */
  | 'read'
  | 'authority'
  | 'swap'
  /** A swap of unknown outcome: read the checkpoint. */
  | 'look'
  | 'collect';

export interface Writer {
  at: Step;
  /** The tree that was published when it loaded. */
  base: string;
  /** What each record after that adds, in order. */
  tail: string[];
  /** The latest checkpoint it read. */
  published: string;
  /** Where records began when it listed them. */
  listed: number[];
  /** The record that it created or found, until that counts. */
  record: string;
  isOwn: boolean;
  frozen: boolean;
}

export interface State {
  checkpoint: string;
  /** Records by the size they extend. */
  journal: Record<number, string>;
  /** Requests whose client knows nothing of them, and which may land at any time, or never. */
  creates: [number, string][];
  swaps: [string, string][];
  writers: Writer[];
  /** The longest tree that was ever signed. */
  signed: string;
  /** The tree that somebody was told is frozen. */
  frozen: string | undefined;
  /** Every tree that was ever published, where one of them may be put back. */
  past: string[];
  crashes: number;
  disasters: number;
  freezes: number;
}

export function idle(): Writer {
  return { at: 'load', base: '', tail: [], published: '', listed: [], record: '', isOwn: false, frozen: false };
}

export function beginning(writers: number): State {
  return {
    checkpoint: '',
    journal: {},
    creates: [],
    swaps: [],
    writers: Array.from({ length: writers }, idle),
    signed: '',
    frozen: undefined,
    past: [''],
    crashes: 0,
    disasters: 0,
    freezes: 0,
  };
}

export function copyOf(state: State): State {
  return {
    ...state,
    journal: { ...state.journal },
    creates: [...state.creates],
    swaps: [...state.swaps],
    writers: state.writers.map((writer) => ({ ...writer, tail: [...writer.tail] })),
    past: [...state.past],
  };
}

/** Equal for states that go on alike; `past` matters only where it may come back. */
export function nameOf(state: State, withPast: boolean): string {
  const { checkpoint, journal, creates, swaps, writers, signed, frozen, past, crashes, disasters, freezes } = state;
  const writersNamed = writers.map(
    (w) => `${w.at} ${w.base} ${w.tail.join('|')} ${w.published} ${w.listed} ${w.record} ${w.isOwn} ${w.frozen}`,
  );
  return [
    checkpoint,
    Object.entries(journal).join(' '),
    creates.toSorted().join(' '),
    swaps.toSorted().join(' '),
    ...writersNamed,
    `${signed} ${frozen} ${crashes} ${disasters} ${freezes}`,
    withPast ? past.join(' ') : '',
  ].join('\n');
}

export const treeOf = (writer: Writer): string => writer.base + writer.tail.join('');
export const extended = (record: string): string => record.slice(0, record.indexOf('>'));
export const added = (record: string): string => record.slice(record.indexOf('>') + 1);
/** Where a record that begins at `base` ends. */
export const endOf = (base: number, record: string): number =>
  added(record) === FREEZE ? base : base + added(record).length;

export function restart(w: Writer): void {
  Object.assign(w, idle());
}

/** The sizes at which a record ended that this writer knows, from the published one it loaded. */
export function boundaries(w: Writer): number[] {
  let size = w.base.length;
  return [size, ...w.tail.map((batch) => (size += batch.length))];
}

/** Whether a checkpoint is where a record ended that this writer knows. */
export function isOn(checkpoint: string, w: Writer): boolean {
  return boundaries(w).includes(checkpoint.length) && treeOf(w).startsWith(checkpoint);
}
