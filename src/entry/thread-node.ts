/** In Node: a worker thread. It keeps the process alive only while something is asked. */

import { Worker } from 'node:worker_threads';
import type { Thread, ThreadEvents } from './thread.ts';

export type { Thread } from './thread.ts';

/** Compiled beside this file under the same kind of name. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker-node.ts' : './worker-node.js', import.meta.url);

export function openThread({ onAnswers, onEnd }: ThreadEvents): Thread {
  // Without the options that this process was started with: some of them are for its first program alone.
  const worker = new Worker(WORKER, { execArgv: [] });
  let cause: unknown;
  worker.on('message', (answers: readonly boolean[]) => {
    worker.unref();
    onAnswers(answers);
  });
  worker.on('error', (error) => {
    cause = error;
  });
  worker.on('exit', () => onEnd(cause)); // after `error`, and without one, too
  worker.unref(); // last: a listener for messages takes hold of the process again
  return {
    post(checks) {
      worker.ref();
      worker.postMessage(checks);
    },
    async close() {
      await worker.terminate();
    },
  };
}
