/** What an examination says: one finding a check, each with what was seen and, where it is not well, what to do. */

/** `unchecked`: it could not be looked at now, and `seen` says why. What does not apply is `ok`, or left out. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'unchecked';

/** What is looked at. Stable names: programs switch on them. */
export type CheckName =
  | 'served'
  | 'checkpoint'
  | 'headers'
  | 'encoding'
  | 'head'
  | 'conditional-get'
  | 'absent'
  | 'cors'
  | 'clock'
  | 'stale-checkpoint'
  | 'age'
  | 'same-log'
  | 'private-store'
  | 'key-file'
  | 'disk'
  | 'journal'
  | 'queue'
  | 'conditional-writes';

export interface Finding {
  readonly check: CheckName;
  readonly verdict: Verdict;
  /** What was found, with the object or header it was found in. */
  readonly seen: string;
  /** What the operator can do; present for warnings and problems. */
  readonly remedy?: string;
}

export function ok(check: CheckName, seen: string): Finding {
  return { check, verdict: 'ok', seen };
}

export function warning(check: CheckName, seen: string, remedy: string): Finding {
  return { check, verdict: 'warning', seen, remedy };
}

export function problem(check: CheckName, seen: string, remedy: string): Finding {
  return { check, verdict: 'problem', seen, remedy };
}

export function unchecked(check: CheckName, seen: string): Finding {
  return { check, verdict: 'unchecked', seen };
}
