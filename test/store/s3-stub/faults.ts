/** How the stub can be told to misbehave, and on which requests. */

/** What a request is, as it is counted and chosen. */
export type Kind = 'GET' | 'PUT' | 'DELETE' | 'LIST' | 'BUCKET';

export type Misdeed =
  /** The work is done, and the connection cut instead of an answer. */
  | { readonly do: 'drop-answer' }
  /** The connection is cut before anything is done. */
  | { readonly do: 'cut-request' }
  /** The answer's body ends in the middle (GET). */
  | { readonly do: 'cut-body' }
  /** Nothing happens for a while; then the request is done as it is. */
  | { readonly do: 'delay'; readonly ms: number }
  /** The work is done at once, its answer comes late. */
  | { readonly do: 'delay-answer'; readonly ms: number }
  /** An answer instead of the work: 503 SlowDown, unless another one is given. */
  | { readonly do: 'refuse'; readonly status?: number; readonly code?: string; readonly retryAfterS?: number }
  /** The work is done, and 500 answered. */
  | { readonly do: 'lie-500' }
  /** `If-Match` and `If-None-Match` are not looked at, as s3rver does. */
  | { readonly do: 'ignore-conditions' }
  /** Versions are weakened on the way, as proxies that compress do (GET). */
  | { readonly do: 'weaken-version' }
  /** Lists do not encode keys, and cannot spell control characters, as versitygw. */
  | { readonly do: 'plain-list' }
  /** A create behind a delete is refused, as if the object were still there. */
  | { readonly do: 'remember-deleted' }
  /** Lists show what was there when the rule was made. */
  | { readonly do: 'stale-list' };

export type Rule = Misdeed & {
  /** Which requests; all, unless it is given. */
  readonly kind?: Kind | readonly Kind[];
  /** Tested against the key in the bucket. */
  readonly key?: RegExp;
  /** How many requests; all, unless it is given. */
  readonly times?: number;
  /** How many of the requests that it would concern are let pass first. */
  readonly skip?: number;
};

/** The rules in force. */
export class Faults {
  #rules: { readonly rule: Rule; left: number; skip: number }[] = [];

  add(rule: Rule): void {
    this.#rules.push({ rule, left: rule.times ?? Number.POSITIVE_INFINITY, skip: rule.skip ?? 0 });
  }

  clear(): void {
    this.#rules = [];
  }

  /** The first rule of this sort that concerns the request, used up by one. */
  take<D extends Misdeed['do']>(kind: Kind, key: string, deeds: readonly D[]): Extract<Rule, { do: D }> | undefined {
    for (const entry of this.#rules) {
      const { rule } = entry;
      const concerns =
        (deeds as readonly string[]).includes(rule.do) &&
        (rule.kind === undefined || [rule.kind].flat().includes(kind)) &&
        (rule.key === undefined || rule.key.test(key));
      if (!concerns || entry.left === 0) continue;
      if (entry.skip > 0) {
        entry.skip -= 1;
        continue;
      }
      entry.left -= 1;
      return rule as Extract<Rule, { do: D }>;
    }
    return undefined;
  }
}
