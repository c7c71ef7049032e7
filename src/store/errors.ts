import { SteleError } from '../errors.ts';

/** A store failed or refused for now; nothing was changed. `retryAfterMs`: when it asked to be tried again, if it said. */
export class UnreachableError extends SteleError {
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: { cause?: unknown; retryAfterMs?: number | undefined }) {
    super('unreachable', message, options);
    this.name = 'UnreachableError';
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** Throws `aborted` once the caller has given up. */
export function throwIfAborted(signal: AbortSignal | undefined, doing: string): void {
  if (signal?.aborted) {
    throw new SteleError('aborted', `${doing} was given up by its caller`, { cause: signal.reason });
  }
}
