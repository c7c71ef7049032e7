/** Opening a queue on NATS: its client library is loaded by who has such a queue, and by nobody else. */

import type { Clock } from '../clock.ts';
import type { NatsQueueOptions } from './nats.ts';
import type { NatsQueueState } from './nats-state.ts';
import type { NatsPlace } from './nats-url.ts';
import type { SubmissionQueue, Submitter } from './types.ts';

/**
 * The sequencers' side: any number of them may share a queue. Makes its streams where they are not there. Throws
 * `config` for wrong credentials and for streams that are something else, `unreachable` when no server answers.
 */
export async function openNatsQueue(place: NatsPlace, options: NatsQueueOptions): Promise<SubmissionQueue> {
  const { NatsQueue } = await import('./nats.ts');
  return NatsQueue.open(place, options);
}

/** The submitters' side, which makes nothing. Throws as `openNatsQueue`. */
export async function openNatsSubmitter(place: NatsPlace, clock: Clock): Promise<Submitter> {
  const { NatsSubmitter } = await import('./nats-submit.ts');
  return NatsSubmitter.open(place, clock);
}

/** What waits in a queue, or undefined when nobody has made it yet. Throws as `openNatsQueue`. */
export async function readNatsState(place: NatsPlace): Promise<NatsQueueState | undefined> {
  const { readState } = await import('./nats-state.ts');
  return readState(place);
}
