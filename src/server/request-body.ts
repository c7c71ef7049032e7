/** Reading the bodies of requests, within a memory that all of them share. */

import { BusyError, SteleError } from '../errors.ts';

/** What a client that is turned away is told, in milliseconds. */
const RETRY_AFTER_MS = 1_000;

export class BodyMemory {
  readonly #limit: number;
  #taken = 0;

  /** `limit` bytes in all. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The body, of at most `most` bytes. Memory is taken as bytes come, for announcing many costs nothing; it is held until
   * `give`. Throws `limit` for a longer one, `busy` where there is no room, and what reading throws; then nothing is held.
   */
  async read(body: AsyncIterable<Uint8Array>, most: number): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let length = 0;
    try {
      for await (const chunk of body) {
        this.#taken += chunk.length;
        length += chunk.length;
        chunks.push(chunk);
        if (length > most) {
          throw new SteleError('limit', `the request is larger than the ${most} bytes that this log takes`);
        }
        if (this.#taken > this.#limit) throw new BusyError('too much is being received now', RETRY_AFTER_MS);
      }
      return Buffer.concat(chunks, length);
    } catch (error) {
      this.#taken -= length;
      throw error;
    }
  }

  /** A body that was read is needed no more. */
  give(body: Uint8Array): void {
    this.#taken -= body.length;
  }

  get taken(): number {
    return this.#taken;
  }
}
