/**
 * Clients that go on submitting to servers that are killed, started again and frozen: what they may be told, and how it
 * is held against the log.
 */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { fsck, type LogReader } from '../../src/client/index.ts';
import { parseLogEntry, verifyLogEntry, verifySignature } from '../../src/entry/index.ts';
import { openCheckpoint, type SignedCheckpoint, type Verifier } from '../../src/note/index.ts';
import { RPC } from '../../src/server/failures.ts';
import type { ReadableStore } from '../../src/store/index.ts';
import { accept, type Sendable, utf8 } from '../entry/proposals.ts';
import { type Answer, ask, errorOf, post, proposal } from './post.ts';

/** Longer than a server keeps anybody waiting (`server.timeout`): who has nothing by then hangs. In ms. */
const HANGS_MS = 25_000;
/** Whoever has to ask for so long gets nowhere, in ms. */
const NOWHERE_MS = 60_000;
/** For who was turned away or cut off, in ms: a test does not wait the second that Retry-After has at least. */
const PAUSE_MS = 50;
/** Nobody waits so long where a sequencer runs, however slow the machine; in ms. */
const LONG_MS = 15_000;
/** What a connection to a process that was killed, or that is not there, ends with. */
const CUT = /ECONNRESET|ECONNREFUSED|EPIPE|socket hang up/;

/** The log that they submit to, as anybody reads it. */
export interface ServedStore {
  readonly store: ReadableStore;
  readonly reader: LogReader;
  readonly verifier: Verifier;
}

export class Crowd {
  /** They keep their addresses, whichever process is behind them. With a slash at the end. */
  readonly #servers: readonly string[];
  /** What each submission came to; one request may be several. */
  readonly told: { readonly request: Uint8Array; readonly answer: Answer }[] = [];
  /** How many answers there were of each status, and `cut` for connections that ended without. */
  readonly answers: Record<string, number> = {};
  /** The longest wait for an answer, in ms. */
  slowestMs = 0;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
  }

  /** How many submissions were logged. */
  get logged(): number {
    return this.told.filter(({ answer }) => answer.status === 201).length;
  }

  /**
   * Sends the same bytes until they are logged, or the log is frozen: again after a 503, and by another server, if there
   * is one, when the connection was cut. Fails where anything else is told, or nothing.
   */
  async submit(entry: Sendable | Uint8Array, first: number): Promise<Answer> {
    const request = entry instanceof Uint8Array ? entry : utf8(JSON.stringify(entry));
    const began = performance.now();
    for (let server = first; performance.now() - began < NOWHERE_MS; ) {
      const answer = await this.#ask(this.#servers[server % this.#servers.length] ?? '', request);
      if (answer?.status === 201 || answer?.status === 405) {
        this.told.push({ request, answer });
        return answer;
      }
      if (answer === undefined) server += 1;
      else assertBusy(answer);
      await sleep(PAUSE_MS);
    }
    return assert.fail(`a client gets nowhere: ${JSON.stringify(this.answers)}`);
  }

  /** One client after another server's: submits entries that nobody else does, until the log is frozen. */
  async submitUntilFrozen(name: string, first: number): Promise<void> {
    for (let i = 0; (await this.submit(proposal(`${name}: ${i}`), first)).status !== 405; i++);
  }

  async #ask(url: string, request: Uint8Array): Promise<Answer | undefined> {
    const began = performance.now();
    const count = (what: string | number): void => {
      this.answers[what] = (this.answers[what] ?? 0) + 1;
      this.slowestMs = Math.max(this.slowestMs, performance.now() - began);
    };
    try {
      const answer = await post({ url }, request, { signal: AbortSignal.timeout(HANGS_MS) });
      count(answer.status);
      return answer;
    } catch (error) {
      assert.match(String(error), CUT);
      count('cut');
      return undefined;
    }
  }

  /**
   * Reads the whole log, and holds every 201 against it: proven in a checkpoint that the last one extends, at the place
   * where its entry is. Resolves to the entries of the log, each of which is there once, and those that were told of.
   */
  async heldAgainst({
    reader,
    verifier,
  }: ServedStore): Promise<{ readonly entries: readonly string[]; readonly acknowledged: ReadonlySet<string> }> {
    const last = await reader.checkpoint();
    const entries: string[] = [];
    for await (const { entry } of reader.entries(0, last.size, last)) entries.push(textOf(entry));
    assert.equal(new Set(entries).size, entries.length, 'no entry is in the log twice');
    const acknowledged = new Set<string>();
    const checkpoints = new Map<number, SignedCheckpoint>();
    for (const { request, answer } of this.told) {
      if (answer.status !== 201) continue;
      const { index, body, checkpoint } = await verifyLogEntry(parseLogEntry(answer.body), verifier, verifySignature);
      assert.deepEqual(body, (await accept(request)).body, 'the answer is about what was sent');
      assert.equal(entries[index], textOf(body), `entry ${index} is where it was said to be`);
      acknowledged.add(textOf(body));
      checkpoints.set(checkpoint.size, checkpoint);
    }
    for (const checkpoint of checkpoints.values()) await reader.verifyConsistencyWith(checkpoint, last);
    return { entries, acknowledged };
  }

  /**
   * The log ended with this checkpoint. Whoever is in it was told so, and nobody else; nobody waited for long; all servers
   * are well, tell who comes later that it has ended, and prove what it has.
   */
  async assertEnded(log: ServedStore, checkpoint: Uint8Array): Promise<void> {
    assert.ok(this.slowestMs < LONG_MS, `somebody waited ${this.slowestMs} ms`);
    const { entries, acknowledged } = await this.heldAgainst(log);
    assert.deepEqual(new Set(entries), acknowledged);
    const [known] = this.told;
    assert.ok(known?.answer.status === 201);
    for (const [i, url] of this.#servers.entries()) {
      assertFrozen(await this.submit(proposal('too late'), i));
      assert.equal((await this.submit(known.request, i)).status, 201);
      for (const path of ['healthz', 'readyz']) assert.equal((await ask(`${url}${path}`)).status, 200);
      assert.deepEqual((await ask(`${url}checkpoint`)).body, Buffer.from(checkpoint), 'nothing is signed any more');
    }
    assert.equal(openCheckpoint(checkpoint, log.verifier).size, acknowledged.size);
    assert.deepEqual((await fsck(log.store, log.verifier)).problems, []);
  }
}

/** As upstream says it. */
function assertFrozen(answer: Answer): void {
  assert.equal(answer.status, 405);
  const message = 'This log has been frozen, please switch to the latest log.';
  assert.deepEqual(errorOf(answer), { code: RPC.unimplemented, message });
}

function assertBusy(answer: Answer): void {
  assert.equal(answer.status, 503, answer.body.toString());
  assert.equal(errorOf(answer).code, RPC.unavailable);
  assert.match(String(answer.headers['retry-after']), /^[1-9]\d*$/);
}

const textOf = (entry: Uint8Array): string => Buffer.from(entry).toString();
