/** Exit statuses: what a script may conclude. One table, exhaustive over the codes of errors.ts. */

import type { ErrorCode } from '../errors.ts';

/** 0: yes. 1: the answer is no. 2: usage or configuration. 3: try again. */
export type ExitStatus = 0 | 1 | 2 | 3;

export const YES = 0;
export const NO = 1;
export const USAGE = 2;
export const AGAIN = 3;

/** `malformed` is about bytes that were read (a proof, a checkpoint): they do not verify. Arguments are `config`. */
export const EXIT_STATUS: Readonly<Record<ErrorCode, ExitStatus>> = {
  'not-found': NO,
  malformed: NO,
  unverified: NO,
  'invalid-proof': NO,
  corrupt: NO,
  fork: NO,
  conflict: NO,
  limit: USAGE,
  config: USAGE,
  refused: USAGE,
  frozen: USAGE,
  'precondition-failed': AGAIN,
  'outcome-unknown': AGAIN,
  unreachable: AGAIN,
  busy: AGAIN,
  locked: AGAIN,
  aborted: AGAIN,
};
