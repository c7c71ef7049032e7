/** Outside Node: the same thread, between other things. A page checks a signature or two, and has no worker to start. */

import { verifySignature } from './signature.ts';
import type { Thread, ThreadEvents } from './thread.ts';

export type { Thread } from './thread.ts';

export function openThread({ onAnswers }: ThreadEvents): Thread {
  let closed = false;
  return {
    post(checks) {
      setTimeout(() => {
        if (!closed) onAnswers(checks.map(verifySignature));
      });
    },
    async close() {
      closed = true;
    },
  };
}
