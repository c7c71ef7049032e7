/** The writer of a log: its stores opened, its lock taken, its sequencer loaded. */

import { randomBytes } from 'node:crypto';
import type { Clock } from '../clock.ts';
import { parseSignerKey, parseVerifierKey, type SignedCheckpoint } from '../note/index.ts';
import type { SubmissionQueue } from '../queue/index.ts';
import {
  initLog,
  type RunReport,
  Sequencer,
  type SequencerEvents,
  type SequencerSettings,
} from '../sequencer/index.ts';
import { type ObjectStore, openWriterStores } from '../store/index.ts';

/** What a log is opened with; apart from open stores, all of it can be sent to another thread. */
export interface WriterSetup<Store extends string | ObjectStore = string | ObjectStore> {
  readonly publicStore: Store;
  readonly privateStore: Store;
  readonly key: string;
  readonly settings: SequencerSettings;
  readonly lockWaitMs: number;
  /** Creates the log if there is none. */
  readonly create?: { readonly url?: string };
}

export interface Writer {
  /** The checkpoint that stands in the public store. */
  readonly published: SignedCheckpoint;
  /** Runs until `stop`, and then until all that the queue holds is published and answered. To be called once. */
  run(stop: AbortSignal): Promise<RunReport>;
  /** Lets go of stores and lock, after `run`. */
  release(): Promise<void>;
}

/** In this thread. Throws as `openLog`. */
export async function openWriter(
  setup: WriterSetup,
  surroundings: SequencerEvents & { readonly queue: SubmissionQueue; readonly clock: Clock },
): Promise<Writer> {
  const signer = parseSignerKey(setup.key);
  const verifier = parseVerifierKey(signer.verifierKey);
  const random = (length: number): Uint8Array => randomBytes(length);
  const { settings, create } = setup;
  const stores = await openWriterStores(setup, { waitMs: setup.lockWaitMs, holder: 'library' });
  const { publicStore, privateStore } = stores;
  try {
    if (create !== undefined) await initLog({ publicStore, privateStore, signer, verifier, random, ...create });
    const own = { publicStore, privateStore, signer, verifier, random, settings };
    const sequencer = await Sequencer.open({ ...own, ...surroundings });
    return {
      get published() {
        return sequencer.published;
      },
      run: (stop) => sequencer.run(stop, 'queued'),
      release: () => stores.close(),
    };
  } catch (error) {
    await stores.close();
    throw error;
  }
}
