/** Where a log's queue is, and opening it: for those who submit, and for the sequencer. */

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../clock.ts';
import { SteleError } from '../errors.ts';
import {
  BucketQueue,
  BucketSubmitter,
  isNatsUrl,
  type NatsPlace,
  openNatsQueue,
  openNatsSubmitter,
  openSpool,
  openSpoolSubmitter,
  parseNatsUrl,
  type SubmissionQueue,
  type Submitter,
} from '../queue/index.ts';
import { isBucketUrl, listenForObjects, openStore } from '../store/index.ts';
import { isUrl, type LogConfig, queueUrl, storeUrl } from './config.ts';

/** Where the queue is in the private store, unless `queue.url` says otherwise (DESIGN §4). */
const QUEUE = 'queue';

export type QueuePlace =
  | { readonly kind: 'folder'; readonly path: string }
  /** The queue's keys in the store at `url` begin with `prefix`. */
  | { readonly kind: 'bucket'; readonly url: string; readonly prefix: string }
  | { readonly kind: 'nats'; readonly nats: NatsPlace };

/** The queue that a command line names: a folder, or the URL of one or of a place in a bucket. Throws `config`. */
export function parseQueuePlace(text: string): QueuePlace {
  if (!isUrl(text)) return { kind: 'folder', path: resolve(text) };
  if (text.startsWith('file:') && URL.canParse(text) && new URL(text).host === '') {
    return { kind: 'folder', path: fileURLToPath(text) };
  }
  if (isBucketUrl(text)) return { kind: 'bucket', url: text, prefix: '' };
  if (isNatsUrl(text)) return { kind: 'nats', nats: parseNatsUrl(text) };
  throw new SteleError(
    'config',
    `${text} is not a queue: it is a folder, s3://bucket/prefix, minio://host/bucket/prefix or nats://host/stream`,
  );
}

/** The queue of a configured log. Throws `config` where two sequencers would empty one folder. */
export function queuePlace(config: LogConfig): QueuePlace {
  const given = queueUrl(config);
  const store = storeUrl(config, 'private');
  if (given === undefined) {
    if (store.startsWith('file:')) return { kind: 'folder', path: join(fileURLToPath(store), QUEUE) };
    if (isBucketUrl(store)) return { kind: 'bucket', url: store, prefix: `${QUEUE}/` };
    throw new SteleError(
      'config',
      `stores.private of ${config.dir} is ${store}: a log is kept in a folder or a bucket`,
    );
  }
  const place = parseQueuePlace(given);
  if (place.kind === 'folder' && !store.startsWith('file:')) {
    throw new SteleError(
      'config',
      `queue.url of ${config.dir} is the folder ${place.path}, but stores.private is ${store}, where no lock keeps a second sequencer away: put the queue into a bucket, or on NATS`,
    );
  }
  return place;
}

export async function openSubmitter(place: QueuePlace): Promise<Submitter> {
  if (place.kind === 'folder') return openSpoolSubmitter(place.path);
  if (place.kind === 'nats') return openNatsSubmitter(place.nats, systemClock);
  return new BucketSubmitter({ store: await openStore(place.url), prefix: place.prefix }, { clock: systemClock });
}

/** The sequencer's side of the log's queue. */
export async function openQueue(config: LogConfig): Promise<SubmissionQueue> {
  const place = queuePlace(config);
  const options = { clock: systemClock, pollMs: config.queue?.poll };
  if (place.kind === 'folder') return openSpool(place.path, options);
  if (place.kind === 'nats') return openNatsQueue(place.nats, options);
  return new BucketQueue(
    { store: await openStore(place.url), prefix: place.prefix },
    {
      ...options,
      listen: (ring) => {
        const listening = listenForObjects(place.url, `${place.prefix}new/`, ring);
        return () => listening.stop();
      },
    },
  );
}
