/** One thread that checks signatures, as the pool sees it. */

import type { SignatureCheck } from './signature.ts';

export interface Thread {
  /** Asks; answered in order by one `onAnswers`. Nothing may be posted before that. */
  post(checks: readonly SignatureCheck[]): void;
  /** Ends the thread, quietly. */
  close(): Promise<void>;
}

export interface ThreadEvents {
  readonly onAnswers: (answers: readonly boolean[]) => void;
  /** It ended by itself. */
  readonly onEnd: (cause: unknown) => void;
}
