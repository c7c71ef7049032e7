/** What the server needs of whoever logs what it accepts: the log itself in this process, or a queue. */

import type { SignedCheckpoint } from '../note/index.ts';
import type { Accepted, Waiting } from '../queue/index.ts';

export interface Writing {
  /**
   * Logs one entry; resolves when it is published. Throws `busy`, `frozen`, `aborted` when `signal` aborts (it may be logged
   * all the same), and what submitting throws.
   */
  submitOne(entry: Uint8Array, signal: AbortSignal): Promise<Accepted>;
  /** What was submitted here and is not answered yet. */
  waiting(): Waiting;
  /** What this process itself published last; a front end has to look. */
  readonly published?: () => SignedCheckpoint;
  /** Why nothing can be written now, though nothing waits too long; undefined while all is well. */
  readonly trouble?: () => string | undefined;
}
