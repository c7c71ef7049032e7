/** Breadth first through everything that can happen, so that the first violation is a shortest one. */

import { hash } from 'node:crypto';
import { Protocol } from './protocol.ts';
import { type Bounds, type Rule, Violation } from './rules.ts';
import { beginning, nameOf, type State } from './state.ts';

export interface Exploration {
  /** What went wrong; undefined: nothing, in what was explored. */
  readonly violation: string | undefined;
  /** Every state from the beginning to the violation. */
  readonly path: readonly State[];
  readonly explored: number;
  /** All there is within the bounds was explored. */
  readonly isExhaustive: boolean;
  /** States in which some writer has refused. */
  readonly refused: number;
}

interface Node {
  readonly state: State;
  readonly from: Node | undefined;
}

/** Explores at most `cap` states; `without` leaves one rule out. */
export function explore(bounds: Bounds, cap: number, without?: Rule): Exploration {
  const result = breadthFirst(bounds, cap, without, false);
  // Where every state came from is kept only when somebody will read it: it is most of the memory.
  return result.violation === undefined ? result : breadthFirst(bounds, cap, without, true);
}

function breadthFirst(bounds: Bounds, cap: number, without: Rule | undefined, keepsPaths: boolean): Exploration {
  const protocol = new Protocol(bounds, without);
  const nameIt = (state: State): string => hash('sha256', nameOf(state, bounds.disasters > 0), 'base64url');
  const first = beginning(bounds.wanted.length);
  const seen = new Set([nameIt(first)]);
  let frontier: Node[] = [{ state: first, from: undefined }];
  let explored = 0;
  let refused = 0;
  const end = (violation: string | undefined, path: State[], isExhaustive: boolean): Exploration => {
    return { violation, path, explored, isExhaustive, refused };
  };
  while (frontier.length > 0) {
    const next: Node[] = [];
    for (const node of frontier) {
      if (explored === cap) return end(undefined, [], false);
      explored += 1;
      if (node.state.writers.some(({ at }) => at === 'refused')) refused += 1;
      try {
        for (const state of protocol.successors(node.state)) {
          const name = nameIt(state);
          if (seen.has(name)) continue;
          seen.add(name);
          next.push({ state, from: keepsPaths ? node : undefined });
        }
      } catch (error) {
        if (!(error instanceof Violation)) throw error;
        return end(error.message, pathTo(node), false);
      }
    }
    frontier = next;
  }
  return end(undefined, [], true);
}

function pathTo(node: Node): State[] {
  const path: State[] = [];
  for (let at: Node | undefined = node; at !== undefined; at = at.from) path.push(at.state);
  return path.reverse();
}
