/** Whether this process can do what it is there for, and if not, why. */

import { isSteleError } from '../errors.ts';
import type { ReadableStore } from '../store/index.ts';
import type { Writing } from './writing.ts';

export interface ReadinessOptions {
  readonly store: ReadableStore;
  /** Absent where nothing is written. */
  readonly writing: Pick<Writing, 'waiting' | 'trouble'> | undefined;
  /** Publication is stale when something has waited for it longer than this, in ms. */
  readonly staleMs: number;
}

/** Undefined when it is ready; else the reason. */
export async function unreadiness({ store, writing, staleMs }: ReadinessOptions): Promise<string | undefined> {
  const trouble = writing?.trouble?.();
  if (trouble !== undefined) return trouble;
  const { oldestMs = 0 } = writing?.waiting() ?? {};
  if (oldestMs > staleMs) {
    return `publication is stale: an entry has waited ${Math.round(oldestMs / 1_000)} s for it`;
  }
  try {
    return (await store.get('checkpoint')) === undefined ? 'there is no checkpoint' : undefined;
  } catch (error) {
    if (isSteleError(error)) return `the store cannot be read (${error.code})`;
    throw error;
  }
}
