/** Verifying that a signed artifact is in a log: by a log entry that somebody kept, or in the log itself. */

import type { LogReader } from '../client/index.ts';
import {
  checkLoggedSignatures,
  type LoggedEntry,
  parseLogEntry,
  parseProposal,
  readEntry,
  validate,
  verifyLogEntry,
  verifySignature,
} from '../entry/index.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { hashLeaf } from '../merkle/index.ts';
import type { SignedCheckpoint, Verifier } from '../note/index.ts';
import { parseIndex } from './arguments.ts';
import type { Environment } from './config.ts';
import { readInput } from './files.ts';
import { matchFiles } from './matching.ts';
import type { Output } from './output.ts';
import { openLog } from './reading.ts';
import type { SignedFiles } from './signed-files.ts';
import { readProposal } from './uploading.ts';

/** A body of 64 KiB in base64, a checkpoint, certificates of a bundle. */
const MAX_LOG_ENTRY_BYTES = 16 * 2 ** 20;

export interface VerifiedPlace {
  readonly index: number;
  readonly checkpoint: SignedCheckpoint;
  /** Of entries that are more than bytes. */
  readonly kind: string | undefined;
}

/** Offline: the log entry that a server answered, alone or in a sigstore bundle. Throws `invalid-proof`, `unverified`, … */
export async function verifyKept(
  path: string,
  files: SignedFiles,
  verifier: Verifier,
  stdin: NodeJS.ReadableStream,
): Promise<VerifiedPlace> {
  const claim = parseLogEntry(await readInput(path, stdin, MAX_LOG_ENTRY_BYTES));
  const { index, body, checkpoint, entry } = await verifyLogEntry(claim, verifier, verifySignature);
  await matchFiles(entry, body, files, stdin);
  return { index, checkpoint, kind: entry?.kind };
}

export interface LookOptions {
  readonly log: string;
  /** Undefined: the entry is looked for, which takes all that it is made of. */
  readonly index: string | undefined;
  readonly type: string;
  readonly vkey: string | undefined;
  readonly environment: Environment;
  readonly output: Output;
}

/** In the log itself. Throws `not-found` where the entry is not in it. */
export async function verifyInLog(
  files: SignedFiles,
  options: LookOptions,
  stdin: NodeJS.ReadableStream,
): Promise<VerifiedPlace> {
  const { reader } = await openLog(options.log, options.vkey, options.environment);
  const checkpoint = await reader.checkpoint();
  if (options.index === undefined) {
    const request = await readProposal({ ...files, type: options.type }, stdin);
    const { kind, body } = await validate(parseProposal(request, { kinds: [options.type] }), verifySignature);
    const index = await findEntry(reader, hashLeaf(body), checkpoint, options.output);
    return { index, checkpoint, kind };
  }
  const index = parseIndex(options.index);
  const body = await reader.entry(index, checkpoint);
  const entry = tryReadEntry(body);
  if (entry !== undefined) await checkLoggedSignatures(entry, verifySignature);
  await matchFiles(entry, body, files, stdin);
  return { index, checkpoint, kind: entry?.kind };
}

/** The index of the entry with this leaf hash; shows how far the search has come. Throws `not-found`. */
export async function findEntry(
  reader: LogReader,
  leafHash: Uint8Array,
  checkpoint: SignedCheckpoint,
  output: Output,
): Promise<number> {
  const index = await reader.find(leafHash, checkpoint, (looked, size) =>
    output.progress(`${looked} of ${size} entries looked at`),
  );
  if (index !== undefined) return index;
  throw new SteleError('not-found', `none of the ${checkpoint.size} entries of ${checkpoint.origin} is this one`);
}

/** The entry, or undefined for bytes of any kind. */
export function tryReadEntry(body: Uint8Array): LoggedEntry | undefined {
  try {
    return readEntry(body);
  } catch (error) {
    if (isSteleError(error, 'malformed', 'limit')) return undefined;
    throw error;
  }
}
