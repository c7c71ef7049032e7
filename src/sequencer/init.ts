/** Making a log: the same log.json in both stores, then a checkpoint of size 0. Run again, it completes itself. */

import { SteleError } from '../errors.ts';
import { EMPTY_ROOT } from '../merkle/index.ts';
import {
  formatCheckpoint,
  type SignedCheckpoint,
  type Signer,
  signNote,
  type Verifier,
  validateOrigin,
} from '../note/index.ts';
import type { ObjectStore } from '../store/index.ts';
import { readCheckpoint, replaceCheckpoint, requireCheckpoint } from './checkpoints.ts';
import { createDescription, type LogDescription, readDescription } from './description.ts';
import { JOURNAL } from './record.ts';

export interface InitRequest {
  readonly publicStore: ObjectStore;
  readonly privateStore: ObjectStore;
  readonly signer: Signer;
  readonly verifier: Verifier;
  /** Where the public store will be served, a hint for readers. */
  readonly url?: string;
  readonly random: (length: number) => Uint8Array;
}

export interface InitResult {
  /** False: the log was there already, and is as it was. */
  readonly created: boolean;
  readonly description: LogDescription;
  readonly checkpoint: SignedCheckpoint;
}

/**
 * Creates the log, in two empty stores, or completes an interrupted creation. Throws `refused` for stores that hold
 * anything of a log already but not all of its beginning: an existing history is never reset (CORRUPT-3). Throws
 * `config` for a key whose name no log should have.
 */
export async function initLog(request: InitRequest): Promise<InitResult> {
  const { publicStore, privateStore, signer, verifier, url, random } = request;
  validateOrigin(signer.name);
  const existing = { public: await readDescription(publicStore), private: await readDescription(privateStore) };
  const known = existing.private ?? existing.public;
  if (existing.public !== undefined && existing.private !== undefined && existing.public.id !== existing.private.id) {
    throw new SteleError(
      'refused',
      `the stores belong to two different logs (${existing.public.id} and ${existing.private.id})`,
    );
  }
  if (known !== undefined && known.origin !== signer.name) {
    throw new SteleError('refused', `there is a log already, ${known.origin}, and the key signs for ${signer.name}`);
  }
  const found = await readCheckpoint(publicStore, verifier);
  if (known !== undefined && existing.public !== undefined && existing.private !== undefined && found !== undefined) {
    return { created: false, description: known, checkpoint: found.checkpoint };
  }
  // A beginning that was interrupted has no checkpoint, no tile and no journal record; whatever has one is history.
  const history =
    found !== undefined
      ? 'checkpoint'
      : ((await firstKey(publicStore, 'tile/')) ?? (await firstKey(privateStore, JOURNAL)));
  if (history !== undefined) {
    throw new SteleError(
      'refused',
      `there is history already (${history}) and not all that belongs to it: init never resets a log; see \`stele recover\``,
    );
  }

  const id = Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const description = known ?? {
    id,
    origin: signer.name,
    keys: [signer.verifierKey],
    ...(url === undefined ? {} : { url }),
  };
  // The private one first: whoever loses a race to create it takes over the winner's id.
  if (existing.private === undefined && !(await createDescription(privateStore, description))) return initLog(request);
  if (existing.public === undefined && !(await createDescription(publicStore, description))) return initLog(request);

  const text = formatCheckpoint({ origin: signer.name, size: 0, root: EMPTY_ROOT, extensions: [] });
  try {
    await replaceCheckpoint(publicStore, await signNote(text, [signer]), null);
  } catch (error) {
    // Somebody else completed it; what stands there now must be this log's own.
    if (!(error instanceof SteleError && error.code === 'precondition-failed')) throw error;
  }
  const { checkpoint } = await requireCheckpoint(publicStore, verifier);
  return { created: true, description, checkpoint };
}

async function firstKey(store: ObjectStore, prefix: string): Promise<string | undefined> {
  for await (const { key } of store.list(prefix)) return key;
  return undefined;
}
