/** Submitting a signed entry and getting the proof of it: to a server, or through the queue of a log. */

import { LogReader } from '../client/index.ts';
import { parseLogEntry, verifyLogEntry, verifySignature } from '../entry/index.ts';
import { BusyError, SteleError } from '../errors.ts';
import type { Successor, Verifier } from '../note/index.ts';
import { Prover, submitEntry } from '../server/index.ts';
import { openReadableStore } from '../store/index.ts';
import { type Environment, loadConfig } from './config.ts';
import type { Output } from './output.ts';
import { parseVerifier, VKEY_VARIABLE, verifierOf } from './reading.ts';
import { entriesService, openQueueBackend } from './serving.ts';
import {
  digestSigned,
  readEnvelope,
  readSignature,
  readSignerKey,
  type SignedFiles,
  verifierJson,
} from './signed-files.ts';
import { checkSuccessorUrl } from './successor-url.ts';

export const TOKEN_VARIABLE = 'STELE_TOKEN';
const ENTRIES = '/api/v2/log/entries';
/** A log entry is below 200 KiB: a body of 64 KiB, a checkpoint, a path. */
const MAX_ANSWER_BYTES = 4 * 2 ** 20;
/** Pause before a server that is busy is asked again, where it does not say, and the longest, in ms. */
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 20_000;

export interface UploadOptions {
  readonly vkey: string | undefined;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly environment: Environment;
  readonly output: Output;
}

export interface Uploaded {
  readonly index: number;
  readonly size: number;
  /** As the log answers it: TransparencyLogEntry in JSON. */
  readonly entry: unknown;
  readonly verified: boolean;
}

/** The CreateEntryRequest of what a signer has in files. Throws `config`. */
export async function readProposal(
  files: SignedFiles & { readonly type: string },
  stdin: NodeJS.ReadableStream,
): Promise<Uint8Array> {
  const { envelope, signature, 'public-key': publicKey, type } = files;
  if (publicKey === undefined)
    throw new SteleError('config', "--public-key: the signer's key or certificate is needed");
  const signer = await readSignerKey(publicKey, stdin);
  const verifier = verifierJson(signer);
  if (type === 'dsse') {
    if (envelope === undefined) throw new SteleError('config', '--type dsse logs an envelope: give --envelope');
    const { payload, ...rest } = await readEnvelope(envelope, stdin);
    const request = { envelope: { ...rest, payload: Buffer.from(payload).toString('base64') }, verifiers: [verifier] };
    return Buffer.from(JSON.stringify({ dsseRequestV002: request }));
  }
  const digest = Buffer.from(await digestSigned(files, signer.key, stdin)).toString('base64');
  const content =
    envelope !== undefined && signature === undefined
      ? await soleSignature(envelope, stdin)
      : Buffer.from(await readSignature(required(signature), stdin)).toString('base64');
  return Buffer.from(JSON.stringify({ hashedRekordRequestV002: { digest, signature: { content, verifier } } }));
}

function required(signature: string | undefined): string {
  if (signature !== undefined) return signature;
  throw new SteleError('config', '--signature: the signature of the artifact is needed');
}

async function soleSignature(envelope: string, stdin: NodeJS.ReadableStream): Promise<string> {
  const { signatures } = await readEnvelope(envelope, stdin);
  const [only] = signatures;
  if (only !== undefined && signatures.length === 1) return only.sig;
  throw new SteleError(
    'config',
    `${envelope} has ${signatures.length} signatures, a hashedrekord one: log it with --type dsse`,
  );
}

/**
 * Through the queue of the log in a folder: looked at here, sequenced by whoever sequences, proven from the public store.
 * Throws as the server would answer.
 */
export async function submitToFolder(dir: string, request: Uint8Array, options: UploadOptions): Promise<Uploaded> {
  const { environment, timeoutMs, vkey } = options;
  const config = await loadConfig(dir, environment, { 'server.timeout': `${timeoutMs}ms` });
  const verifier = await verifierOf(config, vkey, environment);
  await using backend = await openQueueBackend(config);
  await using service = await entriesService(config, backend, { host: 'localhost', port: 0 }, undefined, environment);
  const prover = new Prover(service.reader, service.writing.published);
  const answer = await submitEntry(request, { ...service, prover, onSubmission: () => {} });
  if ('entry' in answer) return verifiedUpload(answer.entry, verifier);
  if (answer.cause !== undefined) throw answer.cause;
  throw refusal(answer.status, answer.message);
}

/** To a server. Asks again while it is busy, as long as there is time. Throws `malformed`, `busy`, `frozen`, `config`. */
export async function submitToServer(
  server: string,
  request: Uint8Array,
  options: UploadOptions,
  frozen: readonly string[] = [],
): Promise<Uploaded> {
  const { environment, timeoutMs, output } = options;
  const key = options.vkey ?? environment[VKEY_VARIABLE];
  const verifier = key === undefined ? undefined : parseVerifier('--vkey', key);
  const token = options.token ?? environment[TOKEN_VARIABLE];
  const url = server.replace(/\/+$/, '') + ENTRIES;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await post(url, request, token, Math.max(1, deadline - performance.now()));
    if (answer.status === 201) {
      if (verifier !== undefined) return verifiedUpload(answer.body, verifier);
      const claim = parseLogEntry(Buffer.from(JSON.stringify(answer.body)));
      return { index: claim.index, size: claim.proof.size, entry: answer.body, verified: false };
    }
    if (answer.status === 405 && verifier !== undefined && !frozen.includes(verifier.vkey)) {
      const successor = await successorOf(server, verifier);
      if (successor !== undefined) {
        output.note(`${verifier.name} is frozen; going on with ${successor.verifier.name} at ${successor.url}`);
        const timeLeft = Math.max(0, deadline - performance.now());
        const onward = { ...options, vkey: successor.verifier.vkey, timeoutMs: timeLeft };
        return submitToServer(successor.url, request, onward, [...frozen, verifier.vkey]);
      }
    }
    const again = answer.status === 429 || answer.status === 503;
    const pauseMs = Math.min(answer.retryAfterMs ?? PAUSE_MS, LONGEST_PAUSE_MS);
    if (!again || performance.now() + pauseMs > deadline) throw refusal(answer.status, answer.message, pauseMs);
    output.progress(`${answer.message}; trying again in ${Math.round(pauseMs / 1_000)} s`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

/** The log that follows a frozen one, by the word of its key alone. Throws `refused` for a place where none should be. */
async function successorOf(server: string, verifier: Verifier): Promise<Successor | undefined> {
  const reader = new LogReader(openReadableStore(server), verifier);
  const successor = await reader.successor(await reader.checkpoint());
  if (successor !== undefined) await checkSuccessorUrl(successor.url, server);
  return successor;
}

async function verifiedUpload(entry: unknown, verifier: Verifier): Promise<Uploaded> {
  const claim = parseLogEntry(Buffer.from(JSON.stringify(entry)));
  const { index, checkpoint } = await verifyLogEntry(claim, verifier, verifySignature);
  return { index, size: checkpoint.size, entry, verified: true };
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

async function post(url: string, body: Uint8Array, token: string | undefined, timeoutMs: number): Promise<Answer> {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  let response: Response;
  let text: string;
  try {
    const signal = AbortSignal.timeout(Math.ceil(timeoutMs));
    response = await fetch(url, { method: 'POST', headers, body: Buffer.from(body), redirect: 'error', signal });
    text = await response.text();
  } catch (cause) {
    const why = cause instanceof Error && cause.cause instanceof Error ? cause.cause.message : String(cause);
    throw new SteleError('unreachable', `${url} cannot be reached: ${why}; what was sent may be sent again`, { cause });
  }
  if (text.length > MAX_ANSWER_BYTES) throw new SteleError('limit', `${url} answered with ${text.length} characters`);
  const value = parsed(text);
  const message = (value as { message?: unknown } | undefined)?.message;
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  return {
    status: response.status,
    body: value,
    message: typeof message === 'string' ? message : `${url} answered ${response.status}: ${text.slice(0, 200)}`,
    retryAfterMs: Number.isFinite(seconds) ? 1_000 * seconds : undefined,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What a status means for a script: try again, mend the command line, or no. */
function refusal(status: number, message: string, retryAfterMs = PAUSE_MS): SteleError {
  if (status === 429 || status === 503) return new BusyError(message, retryAfterMs);
  if (status === 401 || status === 403 || status === 404 || status === 413) return new SteleError('config', message);
  if (status === 405) return new SteleError('frozen', message);
  if (status >= 500) return new SteleError('unreachable', message);
  return new SteleError('malformed', message);
}
