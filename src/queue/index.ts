/**
 * queue: where submissions wait for the sequencer (DESIGN §5, "Queue items"; tiles-spec/submission.md).
 *
 * A queue delivers every item until it is answered, in order within an item and between items of one process, and
 * answers everyone: with an index, a duplicate's first index, or the reason of a refusal. MemoryQueue is for programs
 * that sequence what they submit; the spool is a directory that any number of processes submit to; the bucket queue is the
 * same across machines, for several sequencers, too; and so is a stream of NATS JetStream, where nobody polls. Time comes in as a Clock.
 */

export { BUCKET_POLL_MS, BucketQueue, type BucketQueueOptions } from './bucket.ts';
export type { BucketPlace, QueueStore } from './bucket-place.ts';
export { readBucketReceipt, waitForBucketReceipt } from './bucket-receipts.ts';
export { BucketSubmitter, type BucketSubmitterOptions } from './bucket-submit.ts';
export { joinQueues } from './join.ts';
export { MemoryQueue, QUEUE_LIMITS, type QueueLimits } from './memory.ts';
export type { NatsQueueOptions } from './nats.ts';
export { openNatsQueue, openNatsSubmitter, readNatsState } from './nats-open.ts';
export type { NatsQueueState } from './nats-state.ts';
export { DEFAULT_STREAM_BYTES, isNatsUrl, type NatsPlace, natsName, parseNatsUrl } from './nats-url.ts';
export { packOutcome, packOutcomes, unpackOutcome, unpackOutcomes } from './packed-outcomes.ts';
export { encodeReceipt, MAX_RECEIPT_BYTES, parseReceipt } from './receipt.ts';
export { FROZEN_REASON, refusalError } from './refusal.ts';
export { RelayedQueue } from './relayed.ts';
export { SingleSubmitter, type SingleSubmitterOptions } from './single-submitter.ts';
export { openSpool, SPOOL_POLL_MS, type SpoolOptions, type SpoolQueue } from './spool.ts';
export { createSpool } from './spool-folders.ts';
export { readReceipt, waitForReceipt } from './spool-receipts.ts';
export { openSpoolSubmitter, submitToSpool } from './spool-submit.ts';
export {
  encodeSubmission,
  isSubmissionId,
  MAX_ITEM_BYTES,
  MAX_ITEM_ENTRIES,
  parseSubmission,
  splitEntries,
  submissionId,
} from './submission.ts';
export type {
  Accepted,
  Answer,
  EntryOutcome,
  LoggedItem,
  QueueItem,
  Receipt,
  ReceiptWait,
  SubmissionQueue,
  Submitter,
  Waiting,
} from './types.ts';
export { WatchedQueue } from './watched.ts';
