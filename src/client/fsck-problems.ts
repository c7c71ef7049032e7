import { isSteleError } from '../errors.ts';

/** One object that is not what the checkpoint asks for. */
export interface Problem {
  readonly key: string;
  /** `unproven`: perhaps good, but the objects that could prove it are bad themselves. */
  readonly kind: 'missing' | 'corrupt' | 'unreachable' | 'unproven';
  /** What is wrong with it; and where in it, if that can be known. */
  readonly problem: string;
}

/** The first `limit` problems found, and how many there were. */
export class ProblemList {
  readonly #limit: number;
  readonly listed: Problem[] = [];
  count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(...problems: readonly Problem[]): void {
    this.count += problems.length;
    this.listed.push(...problems.slice(0, Math.max(0, this.#limit - this.listed.length)));
  }
}

/** The problem with an object that could not be read. Throws what is none: `aborted`, `fork`, and errors not ours. */
export function problemOf(key: string, error: unknown): Problem {
  if (isSteleError(error, 'not-found')) return { key, kind: 'missing', problem: error.message };
  if (isSteleError(error, 'corrupt')) return { key, kind: 'corrupt', problem: error.message };
  if (isSteleError(error, 'unreachable')) return { key, kind: 'unreachable', problem: error.message };
  throw error;
}
