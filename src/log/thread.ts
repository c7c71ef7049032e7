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
    execArgv: preloads(process.execArgv),
    // Not passed on: that would open this process's own output, and writing to a pipe would no longer wait for its reader.
    stdout: true,
    stderr: true,
  });
  const opened = Promise.withResolvers<SignedCheckpoint>();
  const ended = Promise.withResolvers<RunReport>();
  const exited = Promise.withResolvers<void>();
  const over = new AbortController();
  ended.promise.catch(() => {}).finally(() => over.abort()); // whoever runs the log is told

  const fail = (error: unknown): void => {
    opened.reject(error);
    ended.reject(error);
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
  worker.on('message', (message: FromThread) => {
    switch (message.kind) {
      case 'opened':
        return opened.resolve(message.published);
      case 'committed':
        return events.onCommitted?.(message.event);
      case 'published':
        published = message.event.checkpoint;
        return events.onPublished?.(message.event);
      case 'retry':
        return events.onRetry?.(message.what, readError(message.error), message.attempt);
      case 'answered': {
        const isAtIt = answers.length > 0;
        for (const answer of message.answers) answers.push(answer);
        if (!isAtIt) void giveAll();
        return;
      }
      case 'ended':
        give(answers.length); // before the queue is closed
        return ended.resolve(message.report);
      case 'failed':
        give(answers.length);
        return fail(readError(message.error));
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
      await handOver(queue, AbortSignal.any([stop, over.signal]), post);
      closing = true;
      post({ kind: 'stop' }, []);
      return ended.promise;
    },
    release: () => exited.promise,
  };
}

/** Until `stop`, and then until the queue has nothing more. */
async function handOver(
  queue: MemoryQueue,
  stop: AbortSignal,
  post: (message: ToThread, transferred: ArrayBuffer[]) => void,
): Promise<void> {
  for (;;) {
    await queue.wait(stop);
    await setImmediate(); // what is submitted in one turn travels together
    const items = await queue.receive(PORTION);
    if (items.length === 0 && stop.aborted) return;
    for (const { id, entries } of items) {
      const { bytes, spans, length } = entries;
      const hashes = hashLeaves(bytes, spans);
      // They are the queue's own, and it gives each item once.
      const buffers = [bytes, spans, hashes].map(({ buffer }) => buffer as ArrayBuffer);
      post({ kind: 'submitted', item: { id, entries: { bytes, spans, length, hashes } } }, buffers);
    }
  }
}

/**
 * Of the options that this process was started with, those that load something into every thread, such as instrumentation.
 * Others are for the first program alone.
 */
function preloads(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((option, i) => {
    if (/^--(import|require)=/.test(option)) return [option];
    return /^(--import|--require|-r)$/.test(option) ? [option, execArgv[i + 1] ?? ''] : [];
  });
}
