/** The thread of a log: opens it, sequences what it is sent, and ends when it is told to stop, or when anything fails. */

import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../clock.ts';
import { useKernelModule } from '../merkle/index.ts';
import { RelayedQueue } from '../queue/index.ts';
import { type FromThread, sendAnswer, sendError, type ThreadData, type ToThread } from './messages.ts';
import { openWriter, type Writer } from './writer.ts';

const send = (message: FromThread): void => parentPort?.postMessage(message);

const { setup, kernel } = workerData as ThreadData;
if (kernel !== undefined) useKernelModule(kernel);
const stop = new AbortController();
let writer: Writer;
const queue = new RelayedQueue((answers) =>
  send({ kind: 'answered', answers: answers.map(sendAnswer), checkpoint: writer.published }),
);
parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'submitted') queue.arrived(message.item);
  else stop.abort();
});

try {
  writer = await openWriter(setup, {
    queue,
    clock: systemClock,
    onCommitted: (event) => send({ kind: 'committed', event }),
    onPublished: (event) => send({ kind: 'published', event }),
    onRetry: (what, error, attempt) => send({ kind: 'retry', what, error: sendError(error), attempt }),
  });
  send({ kind: 'opened', checkpoint: writer.published });
  let last: FromThread;
  try {
    const report = await writer.run(stop.signal);
    last = { kind: 'ended', report, checkpoint: writer.published };
  } catch (error) {
    last = { kind: 'failed', error: sendError(error) };
  }
  await writer.release();
  send(last);
} catch (error) {
  send({ kind: 'failed', error: sendError(error) });
} finally {
  parentPort?.close();
}
