/** The submitter's side of a queue on NATS: any number of them, none with a state that outlives it. */

import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Clock } from '../clock.ts';
import { BusyError, SteleError } from '../errors.ts';
import { connectTo, type NatsLink } from './nats-connection.ts';
import { natsFailure, surelyNotStored } from './nats-errors.ts';
import { messageIdOf, natsItemName, parseNatsItemName, splitForMessages } from './nats-items.ts';
import { readNatsReceipt, waitForNatsReceipt } from './nats-receipts.ts';
import { newSubject } from './nats-streams.ts';
import { type NatsPlace, natsName } from './nats-url.ts';
import { encodeSubmission, submissionId } from './submission.ts';
import type { Receipt, ReceiptWait, Submitter } from './types.ts';

/** Tries of one publish, and the pause after the first, which doubles: six seconds in all, besides the requests. */
const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 200;
/** What the protocol has as its least, until the server says. */
const DEFAULT_MAX_PAYLOAD = 2 ** 20;

/** One submitter: its items are stored in the order of its calls. */
export class NatsSubmitter implements Submitter {
  readonly #link: NatsLink;
  readonly #js: JetStreamClient;
  readonly #jsm: JetStreamManager;
  readonly #clock: Clock;
  /** Ends when all earlier calls have stored their items, or failed. */
  #lastTurn: Promise<unknown> = Promise.resolve();

  private constructor(link: NatsLink, jsm: JetStreamManager, clock: Clock) {
    this.#link = link;
    this.#js = jetstream(link.connection);
    this.#jsm = jsm;
    this.#clock = clock;
  }

  /** Makes no stream: that takes rights that a submitter need not have. Throws as `connectTo`. */
  static async open(place: NatsPlace, clock: Clock): Promise<NatsSubmitter> {
    const link = await connectTo(place);
    const jsm = await jetstreamManager(link.connection, { checkAPI: false });
    return new NatsSubmitter(link, jsm, clock);
  }

  /**
   * As Submitter has it. Durable on return: stored by as many servers as the stream has replicas. Throws BusyError when
   * the stream is full; `limit` for entries that the server's max_payload is too small for.
   */
  async submit(entries: readonly Uint8Array[]): Promise<string[]> {
    const runs = splitForMessages(entries, maxPayloadOf(this.#link));
    const turn = this.#lastTurn.then(() => this.#storeAll(runs));
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  async waitForReceipt(name: string, options: ReceiptWait): Promise<Receipt> {
    return waitForNatsReceipt(this.#link, this.#jsm, parseNatsItemName(name), options);
  }

  async close(): Promise<void> {
    await this.#lastTurn;
    await this.#link.close();
  }

  async #storeAll(runs: readonly Uint8Array[][]): Promise<string[]> {
    const names: string[] = [];
    for (const run of runs) {
      try {
        names.push(await this.#store(encodeSubmission(run)));
      } catch (error) {
        if (names.length === 0 || !(error instanceof SteleError)) throw error;
        const sure = `${names.length} of ${runs.length} items were submitted to ${natsName(this.#link.place)}`;
        const what = `${sure}, the next one failed: ${error.message}`;
        throw new SteleError('outcome-unknown', `${what}. Submitting them again is safe`, { cause: error });
      }
    }
    return names;
  }

  /**
   * A message that is there already, by its id, is this item, and has or will have its answer. Not so if that was a
   * refusal: what was refused may be taken this time, so it is submitted as another one.
   */
  async #store(bytes: Uint8Array): Promise<string> {
    const id = submissionId(bytes);
    let messageId = messageIdOf(id);
    for (;;) {
      const { seq, duplicate } = await this.#publish(bytes, messageId);
      if (!duplicate || !(await this.#wasRefused(seq, id))) return natsItemName(seq, id);
      messageId = messageIdOf(id, seq);
    }
  }

  async #wasRefused(seq: number, id: string): Promise<boolean> {
    const receipt = await readNatsReceipt(this.#jsm, this.#link, { seq, id });
    return receipt?.outcomes.some((outcome) => 'refused' in outcome) ?? false;
  }

  /** One whose outcome is not known is simply done again: by its id, the server knows it. */
  async #publish(bytes: Uint8Array, msgID: string): Promise<{ readonly seq: number; readonly duplicate: boolean }> {
    let unsure = false;
    for (let attempt = 1; ; attempt++) {
      try {
        this.#link.sending();
        return await this.#js.publish(newSubject(this.#link.place), bytes, { msgID });
      } catch (error) {
        unsure ||= !surelyNotStored(error);
        const failure = natsFailure('nothing was submitted', this.#link.place, error);
        const final = failure.code === 'config' || failure instanceof BusyError || attempt === ATTEMPTS;
        if (final && unsure) throw this.#outcomeUnknown(failure);
        if (final) throw failure;
        // Half of it by chance, so that those who were sent away together do not come back together.
        await this.#clock.sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
      }
    }
  }

  #outcomeUnknown(cause: SteleError): SteleError {
    const what = `whether an item was stored by ${natsName(this.#link.place)} is not known`;
    return new SteleError('outcome-unknown', `${what}. Submitting it again is safe`, { cause });
  }
}

/** What the server takes as one message, in bytes with its headers; another server may say something else. */
export function maxPayloadOf({ connection }: NatsLink): number {
  return connection.info?.max_payload ?? DEFAULT_MAX_PAYLOAD;
}
