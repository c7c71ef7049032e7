/** Memory for the bodies of requests that are being received or answered, all together. */

export class BodyBudget {
  readonly #limit: number;
  readonly #most: number;
  #taken = 0;

  /** `limit` bytes in all; a body has at most `most`. */
  constructor(limit: number, most: number) {
    this.#limit = limit;
    this.#most = most;
  }

  /** Takes what a body of this `Content-Length` may need; what to give back, or undefined where there is no room now. */
  take(contentLength: string | undefined): number | undefined {
    const declared = Number(contentLength ?? this.#most);
    const bytes = Number.isSafeInteger(declared) ? Math.min(declared, this.#most) : this.#most;
    if (this.#taken > 0 && this.#taken + bytes > this.#limit) return undefined;
    this.#taken += bytes;
    return bytes;
  }

  give(bytes: number): void {
    this.#taken -= bytes;
  }
}
