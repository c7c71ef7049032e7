/**
 * Messages that were delivered and not acknowledged, each by the subject that the server listens on for it: the
 * acknowledgements of docs.nats.io, "Consumers", without the bytes, which are long in the log by then.
 */

import { printable } from './nats-aside.ts';
import { type NatsLink, REQUEST_MS } from './nats-connection.ts';

/** How often in the server's patience it is told that a message is still worked on. */
const SIGNS_OF_LIFE = 3;
/**
 * How many times the server's patience a message may be worked on. Then another sequencer is given it, too: this one may
 * be cut off from the bucket, and only from the bucket. Whoever is second finds the entries in the log.
 */
const LONGEST_WORK = 6;

interface OpenMessage {
  readonly reply: string;
  /** When it was delivered, on the clock of `performance`. */
  readonly sinceMs: number;
}

export class NatsOpenMessages {
  readonly #link: NatsLink;
  readonly #messages = new Map<number, OpenMessage>();
  readonly #timer: NodeJS.Timeout;
  readonly #longestWorkMs: number;

  /** `ackWaitMs`: after this many milliseconds without a sign of life the server gives a message to somebody else. */
  constructor(link: NatsLink, ackWaitMs: number) {
    this.#link = link;
    this.#longestWorkMs = ackWaitMs * LONGEST_WORK;
    // Of the real clock, whatever clock the queue has: it is the server's patience that counts.
    this.#timer = setInterval(() => this.#tellAlive(), ackWaitMs / SIGNS_OF_LIFE).unref();
  }

  /** False for one that is known already, which has come once more. */
  add(seq: number, reply: string): boolean {
    const isNew = !this.#messages.has(seq);
    this.#messages.set(seq, { reply, sinceMs: performance.now() });
    return isNew;
  }

  /** Removes it from the stream, durably on return. Rejects when the server does not say so: then do it again. */
  acknowledge(seq: number): Promise<void> {
    return this.#settle(seq, '+ACK');
  }

  /** Removes it from the stream as one that nobody will ever process. */
  terminate(seq: number, reason: string): Promise<void> {
    return this.#settle(seq, `+TERM ${printable(reason)}`);
  }

  /** Has all of them delivered again. Where the server does not hear of it, that takes until its patience is over. */
  async giveBack(): Promise<void> {
    const messages = [...this.#messages].sort(([a], [b]) => a - b);
    this.#messages.clear();
    if (messages.length === 0 || !this.#link.isUp()) return;
    const { connection } = this.#link;
    for (const [, { reply }] of messages) connection.publish(reply, '-NAK');
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, REQUEST_MS);
    });
    await Promise.race([connection.flush().catch(() => {}), tooLate]);
    clearTimeout(timer);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #settle(seq: number, acknowledgement: string): Promise<void> {
    const message = this.#messages.get(seq);
    if (message === undefined) return;
    await this.#link.sending().request(message.reply, acknowledgement, { timeout: REQUEST_MS });
    this.#messages.delete(seq);
  }

  #tellAlive(): void {
    if (!this.#link.isUp()) return;
    const tooLongAgo = performance.now() - this.#longestWorkMs;
    for (const { reply, sinceMs } of this.#messages.values()) {
      if (sinceMs > tooLongAgo) this.#link.connection.publish(reply, '+WPI');
    }
  }
}
