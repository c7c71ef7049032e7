/**
 * The queue on NATS JetStream: submitters publish to a stream, sequencers share one durable consumer of it, and a message
 * leaves the stream when all of its entries are published and its receipt is written. Until then it is kept from the
 * other sequencers, for as long as this one lives; then another is given it.
 */

import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type Msg, millis } from '@nats-io/transport-node';
import PQueue from 'p-queue';
import type { Clock } from '../clock.ts';
import type { SteleError } from '../errors.ts';
import { Deliveries } from './deliveries.ts';
import { forAll } from './for-all.ts';
import { setMessageAside } from './nats-aside.ts';
import { connectTo, type NatsLink } from './nats-connection.ts';
import { natsFailure } from './nats-errors.ts';
import { type BadMessage, type DeliveredMessage, readMessage } from './nats-items.ts';
import { NatsOpenMessages } from './nats-open-messages.ts';
import { pullMessages, Silence, sequenceOf } from './nats-pull.ts';
import { receiptMessage, writeNatsReceipt } from './nats-receipts.ts';
import { CONSUMER, ensureStreams, HEADER_ROOM } from './nats-streams.ts';
import { maxPayloadOf } from './nats-submit.ts';
import type { NatsPlace } from './nats-url.ts';
import { checkAnswer } from './receipt.ts';
import { MAX_ITEM_BYTES } from './submission.ts';
import type { Answer, QueueItem, SubmissionQueue } from './types.ts';
import { Wakeup } from './wakeup.ts';

/** `queue.poll` on NATS, in milliseconds. Messages come by themselves; this is for a request that a server has lost. */
export const NATS_POLL_MS = 10_000;

/** Of one pull; what was pulled and not given out is held here, twice this at most. */
const PULL_MESSAGES = 256;
const PULL_BYTES = MAX_ITEM_BYTES + 4 * HEADER_ROOM;
/** How long a pull waits for messages, in milliseconds, before it is made anew. */
const PULL_WAIT_MS = 60_000;
/** Receipts, and acknowledgements, on their way. */
const ANSWERS_IN_FLIGHT = 256;

export interface NatsQueueOptions {
  readonly clock: Clock;
  /** NATS_POLL_MS when not given. */
  readonly pollMs?: number | undefined;
}

export class NatsQueue implements SubmissionQueue {
  readonly #link: NatsLink;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #options: NatsQueueOptions;
  readonly #io = new PQueue({ concurrency: ANSWERS_IN_FLIGHT });
  readonly #bell = new Wakeup();
  readonly #closing = new AbortController();
  /** Everything that was delivered and not acknowledged. */
  readonly #open: NatsOpenMessages;
  /** Of these, what was not given out yet. */
  #held: DeliveredMessage[] = [];
  /** What was given out, by message number. */
  readonly #deliveries = new Deliveries<number>();
  /** Ends the pull that waits for what comes; undefined: there is none. */
  #listening: AbortController | undefined;
  #asleep = false;

  private constructor(link: NatsLink, jsm: JetStreamManager, ackWaitMs: number, options: NatsQueueOptions) {
    this.#link = link;
    this.#js = jetstream(link.connection);
    this.#jsm = jsm;
    this.#options = options;
    this.#open = new NatsOpenMessages(link, ackWaitMs);
    link.onReconnect(() => this.#lookAgain());
  }

  /** Makes the streams where they are not there. Throws `config` for streams of something else, as `connectTo` otherwise. */
  static async open(place: NatsPlace, options: NatsQueueOptions): Promise<NatsQueue> {
    const link = await connectTo(place);
    try {
      const jsm = await jetstreamManager(link.connection);
      const { config } = await ensureStreams(jsm, place);
      return new NatsQueue(link, jsm, millis(config.ack_wait ?? 0), options);
    } catch (error) {
      await link.close();
      throw natsFailure('the queue cannot be opened', place, error);
    }
  }

  async receive(maxBytes: number): Promise<QueueItem[]> {
    for (;;) {
      const { round } = this.#deliveries;
      this.#bell.hush();
      if (this.#held.length === 0) await this.#pullWaiting();
      if (round !== this.#deliveries.round) continue;
      const taken = this.#take(maxBytes);
      if (taken.length === 0) return [];
      const read = taken.map(readMessage);
      try {
        await this.#setAside(read.filter((one) => 'bad' in one));
      } catch (error) {
        if (round === this.#deliveries.round) this.#held.unshift(...taken);
        throw this.#failure('the queue cannot be read', error);
      }
      if (round !== this.#deliveries.round) continue;
      // From here nothing can fail: what is marked as delivered is returned.
      const items = this.#deliveries.add(read.filter((one) => 'item' in one).map(({ seq, item }) => [seq, item]));
      if (items.length > 0) return items;
    }
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#held.length > 0 || this.#closing.signal.aborted) return;
    const { clock, pollMs = NATS_POLL_MS } = this.#options;
    this.#asleep = true;
    this.#listen();
    await this.#bell.sleep(signal, (stop) => clock.sleep(pollMs, stop));
    this.#asleep = false;
  }

  async answer(answers: readonly Answer[]): Promise<void> {
    if (answers.length === 0) return;
    answers.forEach(checkAnswer);
    try {
      this.#link.sending();
      const maxPayload = maxPayloadOf(this.#link);
      await this.#deliveries.answerEach(this.#io, answers, async (seq, { id, receipt }) => {
        // Published and answered: only now may the message go. A crash in between has it delivered again.
        await writeNatsReceipt(this.#js, this.#link.place, { seq, id }, receiptMessage(receipt, maxPayload));
        await this.#open.acknowledge(seq);
      });
    } catch (error) {
      throw this.#failure('the queue cannot be answered', error);
    }
  }

  /** Gives back all that is not answered: to whichever sequencer asks next. */
  async redeliver(): Promise<void> {
    this.#deliveries.forget();
    this.#held = [];
    await this.#open.giveBack();
    this.#bell.ring();
  }

  /** What is not answered is given back. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#listening?.abort();
    this.#bell.ring();
    await this.redeliver();
    this.#open.close();
    await this.#link.close();
  }

  /** Resolves when all that waits now has come, as far as a pull takes it. */
  async #pullWaiting(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const pull = { messages: PULL_MESSAGES, bytes: PULL_BYTES, waitMs: 0 };
    try {
      await pullMessages(this.#link.sending(), this.#link.place, pull, this.#arrived, this.#closing.signal);
    } catch (error) {
      if (error instanceof Silence && (await this.#isAtLimit().catch(() => false))) return;
      throw this.#failure('the queue cannot be read', error);
    }
  }

  /** Whether the sequencers have together as many messages as they may: the next comes when one is answered. */
  async #isAtLimit(): Promise<boolean> {
    const { stream } = this.#link.place;
    const { config, num_ack_pending } = await this.#jsm.consumers.info(stream, CONSUMER);
    return num_ack_pending >= (config.max_ack_pending ?? Number.POSITIVE_INFINITY);
  }

  /** Has the server send what comes, once and again while somebody waits. */
  #listen(): void {
    if (this.#listening || this.#closing.signal.aborted || !this.#link.isUp()) return;
    const listening = new AbortController();
    this.#listening = listening;
    const pull = { messages: PULL_MESSAGES, bytes: PULL_BYTES, waitMs: PULL_WAIT_MS };
    pullMessages(this.#link.connection, this.#link.place, pull, this.#arrived, listening.signal).then(
      () => this.#ended(listening, true),
      // The next look, at the latest after the poll interval, says what is wrong.
      () => this.#ended(listening, false),
    );
  }

  #ended(listening: AbortController, well: boolean): void {
    if (this.#listening !== listening) return;
    this.#listening = undefined;
    if (well && this.#asleep && !listening.signal.aborted) this.#listen();
  }

  #arrived = (message: Msg): void => {
    const { reply = '', data } = message;
    const seq = sequenceOf(reply);
    // Delivered once more, as the server has not heard of us for too long: it is here already, or being answered.
    const isNew = this.#open.add(seq, reply);
    if (!isNew) return;
    this.#held.push({ seq, messageId: message.headers?.get('Nats-Msg-Id') ?? '', bytes: data });
    this.#bell.ring();
  };

  /** The oldest of what is held, about `maxBytes` long together. What is delivered again comes in any order. */
  #take(maxBytes: number): DeliveredMessage[] {
    this.#held.sort((a, b) => a.seq - b.seq);
    let bytes = 0;
    let count = 0;
    for (const held of this.#held) {
      bytes += held.bytes.length;
      if (count > 0 && bytes > maxBytes) break;
      count += 1;
    }
    return this.#held.splice(0, count);
  }

  async #setAside(messages: readonly BadMessage[]): Promise<void> {
    await forAll(this.#io, messages, async (message) => {
      await setMessageAside(this.#js, this.#link.place, message, maxPayloadOf(this.#link));
      await this.#open.terminate(message.seq, message.bad);
    });
  }

  /** Requests that waited at a server are lost with the connection, so whoever sleeps looks for itself. */
  #lookAgain(): void {
    this.#listening?.abort();
    this.#listening = undefined;
    this.#bell.ring();
  }

  #failure(what: string, error: unknown): SteleError {
    return natsFailure(what, this.#link.place, error);
  }
}
