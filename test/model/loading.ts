/** Load: read the checkpoint, list the journal, walk it, read the checkpoint again; or refuse. */

import { type Rule, Violation } from './rules.ts';
import { added, boundaries, extended, FREEZE, idle, isOn, restart, type State, treeOf, type Writer } from './state.ts';

/** Whether a rule is kept. */
export type Holds = (rule: Rule) => boolean;

export function list(s: State, w: Writer, holds: Holds): void {
  w.listed = Object.keys(s.journal).map(Number);
  w.at = 'walk';
  const size = w.base.length;
  if (size === 0 || !holds('last-record')) return;
  const last = w.listed.findLast((base) => base < size);
  const record = last === undefined ? undefined : s.journal[last];
  if (record === undefined || extended(record) + added(record) !== w.base) w.at = 'doubt';
}

export function walk(s: State, w: Writer, holds: Holds): void {
  const size = treeOf(w).length;
  const record = s.journal[size];
  if (record === undefined) {
    if (w.listed.includes(size)) restart(w);
    else walked(w, false, holds);
  } else if (!extendsTree(record, treeOf(w), holds)) w.at = 'doubt';
  else if (added(record) === FREEZE) {
    w.frozen = true;
    walked(w, true, holds);
  } else w.tail.push(added(record));
}

/** The end of the walk, at a freeze or where there is no record. */
function walked(w: Writer, atFreeze: boolean, holds: Holds): void {
  const reached = new Set(boundaries(w));
  if (!atFreeze) reached.delete(treeOf(w).length);
  const gap = w.listed.some((base) => base >= w.base.length && !reached.has(base));
  w.at = gap && holds('gap') ? 'doubt' : 'confirm';
  w.listed = [];
}

export function confirm(s: State, w: Writer, holds: Holds): void {
  if (holds('second-look') && !isOn(s.checkpoint, w)) {
    restart(w);
    return;
  }
  w.at = 'ready';
  if (isOn(s.checkpoint, w)) w.published = s.checkpoint;
}

export function doubt(s: State, w: Writer): void {
  if (s.checkpoint !== w.published) {
    restart(w);
    return;
  }
  if (s.disasters === 0) throw new Violation(`REFUSED without a disaster, at ${treeOf(w)}`);
  Object.assign(w, idle(), { at: 'refused' });
}

export function extendsTree(record: string, tree: string, holds: Holds): boolean {
  return extended(record) === tree || (!holds('base-root') && extended(record).length === tree.length);
}
