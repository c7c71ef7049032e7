/** What stands behind a server: the sequencer in its own process, or a queue that others empty. */

import { systemClock } from '../clock.ts';
import { openVerifierPool, POOL_DEFAULTS } from '../entry/index.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { logIdOf } from '../note/index.ts';
import { MemoryQueue, QUEUE_LIMITS, SingleSubmitter } from '../queue/index.ts';
import {
  type EntriesService,
  isLoopback,
  type ListenAddress,
  type Metrics,
  type Tokens,
  type Writing,
} from '../server/index.ts';
import type { Environment, LogConfig } from './config.ts';
import type { Output } from './output.ts';
import { openSubmitter, queuePlace } from './queue.ts';
import { openConfiguredLog } from './reading.ts';
import { openSequencing } from './sequencing.ts';
import { sequencerSettings, type WriterOptions } from './writing.ts';

/** As the balancer before the public instance of Rekor has it; nobody is limited on loopback, unless configured. */
const PER_MINUTE = 600;
/** As upstream: what an envelope may take. */
const MAX_BODY_BYTES = 4 * 2 ** 20;
/** As upstream; clients wait as long. */
const TIMEOUT_MS = 20_000;
export const STALE_MS = 10_000;

/** Whoever logs what a server accepts. */
export interface Backend extends AsyncDisposable {
  readonly writing: Writing;
  /** Resolves when the backend ends by itself, which it does not; rejects with what ended it. */
  readonly ended: Promise<unknown>;
  /** Publishes and answers all that was submitted; the server takes nothing any more. */
  stop(): Promise<void>;
}

/** The sequencer in this process. What is submitted to the log's own queue is sequenced, too. */
export async function openSequencerBackend(
  config: LogConfig,
  options: WriterOptions & { readonly output: Output; readonly metrics: () => Metrics | undefined },
): Promise<Backend> {
  const settings = sequencerSettings(config, Number.POSITIVE_INFINITY);
  const limits = {
    ...QUEUE_LIMITS,
    maxEntries: settings.maxUnpublishedEntries,
    maxBytes: settings.maxUnpublishedBytes,
    maxAgeMs: settings.maxUnpublishedAgeMs,
  };
  const queue = new MemoryQueue({ limits, clock: systemClock });
  const { metrics } = options;
  const sequencing = await openSequencing(config, {
    ...options,
    attempts: Number.POSITIVE_INFINITY,
    ownQueue: queue,
    onCommitted: (event) => metrics()?.onCommitted(event),
    onPublished: (event) => metrics()?.onPublished(event),
    onRetry: (what) => metrics()?.onRetry(what),
  });
  const { sequencer } = sequencing;
  const stopping = new AbortController();
  let trouble: string | undefined;
  const ended = sequencer.run(stopping.signal).catch(async (error: unknown) => {
    trouble = `the sequencer has ended: ${error instanceof Error ? error.message : error}`;
    const told = isSteleError(error) ? error.code : 'aborted';
    await queue.close(new SteleError(told === 'frozen' ? 'frozen' : 'aborted', 'the log cannot be written now'));
    throw error;
  });
  ended.catch(() => {}); // whoever waits for it is told
  return {
    writing: {
      submitOne: (entry, signal) => queue.submitOne(entry, signal),
      waiting: () => queue.waiting(),
      published: () => sequencer.published,
      trouble: () => trouble ?? (stopping.signal.aborted ? 'the server is shutting down' : undefined),
    },
    ended,
    async stop() {
      stopping.abort();
      await ended;
      await sequencing.remember();
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(); // where the server could not be opened, nobody has
      await ended.catch(() => {});
      await sequencing[Symbol.asyncDispose]();
    },
  };
}

/** The log's queue: a sequencer elsewhere empties it. No key is needed, and no lock. */
export async function openQueueBackend(config: LogConfig): Promise<Backend> {
  const settings = sequencerSettings(config, 1);
  const submitter = new SingleSubmitter(await openSubmitter(queuePlace(config)), {
    clock: systemClock,
    maxEntries: settings.maxUnpublishedEntries,
    maxBytes: settings.maxUnpublishedBytes,
    timeoutMs: config.server?.timeout ?? TIMEOUT_MS,
  });
  let stopping = false;
  return {
    writing: {
      submitOne: (entry, signal) => submitter.submitOne(entry, signal),
      waiting: () => submitter.waiting(),
      trouble: () => (stopping ? 'the server is shutting down' : undefined),
    },
    ended: new Promise(() => {}),
    async stop() {
      stopping = true;
    },
    [Symbol.asyncDispose]: () => submitter.close(),
  };
}

/** What the server is told to take, and by whom; threads that check signatures are started. */
export async function entriesService(
  config: LogConfig,
  { writing }: Backend,
  listen: ListenAddress,
  tokens: Tokens | undefined,
  environment: Environment,
): Promise<EntriesService & AsyncDisposable> {
  const { reader, verifier } = await openConfiguredLog(config, undefined, environment);
  const { server, entries } = config;
  const threads = server?.threads ?? POOL_DEFAULTS.threads;
  const pool = openVerifierPool({
    threads,
    maxWaitingMs: (POOL_DEFAULTS.maxWaitingMs / POOL_DEFAULTS.threads) * threads,
  });
  return {
    writing,
    reader,
    logId: logIdOf(verifier),
    verify: pool.verify,
    checksMs: () => pool.waitingMs,
    proposals: {
      ...(entries?.kinds && { kinds: entries.kinds }),
      ...(entries?.maxPayload && { maxPayloadBytes: entries.maxPayload }),
    },
    duplicates: server?.duplicates ?? 'entry',
    tokens,
    perMinute: server?.rateLimit ?? (isLoopback(listen.host) ? 0 : PER_MINUTE),
    maxBodyBytes: server?.maxBody ?? MAX_BODY_BYTES,
    timeoutMs: server?.timeout ?? TIMEOUT_MS,
    staleMs: server?.stale ?? STALE_MS,
    [Symbol.asyncDispose]: () => pool.close(),
  };
}
