/**
 * The writer of a log in a thread of its own, as the thread that submits sees it. That one hashes what its queue takes and
 * hands it over, and gives the answers back to the queue.
 */

import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { hashLeaves, kernelModule } from '../merkle/index.ts';
import type { SignedCheckpoint } from '../note/index.ts';
import type { MemoryQueue } from '../queue/index.ts';
import type { RunReport, SequencerEvents } from '../sequencer/index.ts';
import { type FromThread, readAnswer, readError, type SentAnswer, type ThreadData, type ToThread } from './messages.ts';
import type { Writer, WriterSetup } from './writer.ts';

/** Compiled beside this file under the same kind of name. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './thread-worker.ts' : './thread-worker.js', import.meta.url);

/** What is hashed and handed over between two turns of this thread's event loop, in bytes. */
const PORTION = 2 ** 20;

/** Items that are answered between two turns: up to 256 entries each, everyone of whom goes on with what they were doing. */
const ANSWERED_AT_ONCE = 16;

/** Opens the log in a new thread, which keeps the process alive only while something is asked of it. Throws as `openLog`. */
export async function openThread(
  setup: WriterSetup<string>,
  queue: MemoryQueue,
  events: SequencerEvents,
): Promise<Writer> {
  const workerData: ThreadData = { setup, kernel: kernelModule() };
  const worker = new Worker(WORKER, {
    workerData,
    // Without the options that this process was started with: some of them are for its first program alone.
    execArgv: [],
    // Not passed on: that would open this process's own output, and writing to a pipe would no longer wait for its reader.
    stdout: true,
    stderr: true,
  });
  const opened = Promise.withResolvers<SignedCheckpoint>();
  const ended = Promise.withResolvers<RunReport>();
  const exited = Promise.withResolvers<void>();
  const over = new AbortController();
  ended.promise.catch(() => {}).finally(() => over.abort()); // whoever runs the log is told

  // Whatever happens then, what the thread has not released the end of the thread does; something that was loaded into it
  // beside the log could keep it alive for ever.
  const fail = (error: unknown): void => {
    give(answers.length); // what was published is answered before the queue is closed
    opened.reject(error);
    ended.reject(error);
    void worker.terminate();
  };
  let published: SignedCheckpoint;
  let closing = false;
  const letGo = (): void => {
    if (!closing && queue.waiting().entries === 0) worker.unref();
  };
  const answers: SentAnswer[] = [];
  const give = (count: number): void => void queue.answer(answers.splice(0, count).map(readAnswer));
  const giveAll = async (): Promise<void> => {
    for (; answers.length > 0; await setImmediate()) give(ANSWERED_AT_ONCE);
    letGo();
  };
  const hear = (message: FromThread): void => {
    switch (message.kind) {
      case 'opened':
        opened.resolve(message.checkpoint);
        break;
      case 'committed':
        events.onCommitted?.(message.event);
        break;
      case 'published':
        published = message.event.checkpoint;
        events.onPublished?.(message.event);
        break;
      case 'retry':
        events.onRetry?.(message.what, readError(message.error), message.attempt);
        break;
      case 'answered': {
        published = message.checkpoint; // another writer may have published it
        const isAtIt = answers.length > 0;
        for (const answer of message.answers) answers.push(answer);
        if (!isAtIt) void giveAll();
        break;
      }
      case 'ended':
        published = message.checkpoint;
        give(answers.length);
        ended.resolve(message.report);
        void worker.terminate();
        break;
      case 'failed':
        fail(readError(message.error));
    }
  };
  worker.on('message', (message: FromThread) => {
    try {
      hear(message);
    } catch (error) {
      fail(error); // a handler of events has thrown: it ends the log, as it does without a thread
    }
  });
  worker.on('error', fail);
  worker.on('exit', () => {
    fail(new Error('the thread of the log has ended'));
    exited.resolve();
  });

  try {
    published = await opened.promise;
  } catch (error) {
    await exited.promise; // and with it the lock is free
    throw error;
  }
  letGo();
  const post = (message: ToThread, transferred: ArrayBuffer[]): void => {
    worker.ref();
    worker.postMessage(message, transferred);
  };
  return {
    get published() {
      return published;
    },
    async run(stop) {
      try {
        await handOver(queue, AbortSignal.any([stop, over.signal]), post);
      } catch (error) {
        fail(error);
      }
      closing = true;
      post({ kind: 'stop' }, []);
      return ended.promise;
    },
    release: () => exited.promise,
  };
}

/** Until `stop`, and then what the queue has at that moment: whoever goes on submitting keeps no log from closing. */
async function handOver(
  queue: MemoryQueue,
  stop: AbortSignal,
  post: (message: ToThread, transferred: ArrayBuffer[]) => void,
): Promise<void> {
  for (;;) {
    await queue.wait(stop);
    await setImmediate(); // what is submitted in one turn travels together
    const isLast = stop.aborted;
    const items = await queue.receive(isLast ? Number.POSITIVE_INFINITY : PORTION);
    for (const { id, entries } of items) {
      const { bytes, spans, length } = entries;
      const hashes = hashLeaves(bytes, spans);
      // They are the queue's own, and it gives each item once.
      const buffers = [bytes, spans, hashes].map(({ buffer }) => buffer as ArrayBuffer);
      post({ kind: 'submitted', item: { id, entries: { bytes, spans, length, hashes } } }, buffers);
    }
    if (isLast) return;
  }
}
