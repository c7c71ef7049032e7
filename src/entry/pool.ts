/**
 * Signature checks on other threads, so that the main one keeps answering. What waits is bounded by the time that it
 * takes rather than by its number, for one check on P-521 takes as long as forty on P-256.
 */

import { openThread, type Thread } from '#verifier-thread';
import { BusyError, SteleError } from '../errors.ts';
import type { SignatureCheck } from './signature.ts';

export interface VerifierPoolOptions {
  readonly threads: number;
  /** What may wait or run, in milliseconds of one thread's time; more is `busy`. */
  readonly maxWaitingMs: number;
}

/** A second of two threads: what waits so long is answered well before clients give up, sigstore's after 5 s. */
export const POOL_DEFAULTS: VerifierPoolOptions = { threads: 2, maxWaitingMs: 2_000 };

export interface VerifierPool {
  /**
   * Answers once a thread has looked. Rejects with `busy` when too much waits, with `unreachable` when the thread died
   * (a new one takes its place), and with `aborted` after `close`.
   */
  readonly verify: (check: SignatureCheck) => Promise<boolean>;
  /** Milliseconds of one thread's time that wait or run. */
  readonly waitingMs: number;
  /** Ends the threads; what waits is `aborted`. */
  close(): Promise<void>;
}

/** Checks that go to a thread in one message: fewer round trips under load, and 4 ms with P-256. */
const BATCH = 16;
/** When to come back: by then a full pool of two threads has done its work. */
const RETRY_AFTER_MS = 1_000;

interface Task {
  readonly check: SignatureCheck;
  readonly costMs: number;
  readonly resolve: (right: boolean) => void;
  readonly reject: (error: SteleError) => void;
}

interface Seat {
  /** Absent after its end, until there is work again: a thread that cannot start is not started in a loop. */
  thread: Thread | undefined;
  running: readonly Task[];
}

export function openVerifierPool(options: Partial<VerifierPoolOptions> = {}): VerifierPool {
  return new Pool({ ...POOL_DEFAULTS, ...options });
}

class Pool implements VerifierPool {
  readonly #maxWaitingMs: number;
  readonly #seats: Seat[] = [];
  readonly #waiting: Task[] = [];
  #waitingMs = 0;
  #closed = false;

  constructor({ threads, maxWaitingMs }: VerifierPoolOptions) {
    this.#maxWaitingMs = maxWaitingMs;
    for (let i = 0; i < threads; i++) {
      const seat: Seat = { thread: undefined, running: [] };
      seat.thread = this.#open(seat); // now, so that the first request need not wait for it
      this.#seats.push(seat);
    }
  }

  get waitingMs(): number {
    return this.#waitingMs;
  }

  readonly verify: (check: SignatureCheck) => Promise<boolean> = (check) =>
    new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError());
      const costMs = costOf(check);
      // An empty pool takes anything, else a limit below one check's cost would refuse it for ever.
      if (this.#waitingMs > 0 && this.#waitingMs + costMs > this.#maxWaitingMs) {
        const message = `${Math.round(this.#waitingMs)} ms of signature checks are waiting, which is all that may wait`;
        return reject(new BusyError(message, RETRY_AFTER_MS));
      }
      this.#waitingMs += costMs;
      this.#waiting.push({ check, costMs, resolve, reject });
      this.#dispatch();
    });

  async close(): Promise<void> {
    this.#closed = true;
    const tasks = [...this.#seats.flatMap(({ running }) => running), ...this.#waiting.splice(0)];
    const seats = this.#seats.splice(0);
    for (const seat of seats) seat.running = [];
    this.#settle(tasks, ({ reject }) => reject(closedError()));
    await Promise.all(seats.map(({ thread }) => thread?.close()));
  }

  #open(seat: Seat): Thread {
    return openThread({
      onAnswers: (answers) => {
        const tasks = seat.running;
        seat.running = [];
        this.#settle(tasks, ({ resolve }, at) => resolve(answers[at] === true));
        this.#dispatch();
      },
      onEnd: (cause) => this.#vacate(seat, cause),
    });
  }

  /** The checks of a thread that died get an error, not another try: one of them may be what it died of. */
  #vacate(seat: Seat, cause: unknown): void {
    const tasks = seat.running;
    seat.thread = undefined;
    seat.running = [];
    const error = new SteleError('unreachable', 'the thread that checked this signature ended; try again', { cause });
    this.#settle(tasks, ({ reject }) => reject(error));
    this.#dispatch();
  }

  #dispatch(): void {
    for (const seat of this.#seats) {
      if (seat.running.length > 0 || this.#waiting.length === 0) continue;
      // A share each, so that a burst on an idle pool does not queue up behind one thread.
      const share = Math.min(BATCH, Math.ceil(this.#waiting.length / this.#seats.length));
      seat.running = this.#waiting.splice(0, share);
      seat.thread ??= this.#open(seat);
      seat.thread.post(seat.running.map(({ check }) => check));
    }
  }

  #settle(tasks: readonly Task[], settle: (task: Task, at: number) => void): void {
    for (const [at, task] of tasks.entries()) {
      this.#waitingMs -= task.costMs;
      settle(task, at);
    }
    if (this.#waiting.length === 0 && this.#seats.every(({ running }) => running.length === 0)) this.#waitingMs = 0;
  }
}

function closedError(): SteleError {
  return new SteleError('aborted', 'the signature checks were stopped: the server is shutting down');
}

/** One thread's time for a check, in milliseconds, rounded up from `npm run bench -- verify` on one slow core. */
function costOf({ key, signed }: SignatureCheck): number {
  switch (key.type) {
    case 'ecdsa':
      return { 'P-256': 0.3, 'P-384': 5, 'P-521': 12 }[key.curve];
    case 'rsa':
      return 0.3;
    case 'ed25519':
      return 2.5 + ('message' in signed ? signed.message.length / 50_000 : 0);
  }
}
