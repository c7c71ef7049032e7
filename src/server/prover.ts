/** From an index to a proof that anybody can check: the published checkpoint, and the path to it. */

import type { LogReader } from '../client/index.ts';
import { SteleError } from '../errors.ts';
import { type Hash, hashLeaf, verifyInclusion } from '../merkle/index.ts';
import type { SignedCheckpoint } from '../note/index.ts';

export interface Place {
  readonly checkpoint: SignedCheckpoint;
  readonly hashes: readonly Hash[];
}

export class Prover {
  readonly #reader: LogReader;
  readonly #published: (() => SignedCheckpoint) | undefined;
  #known: SignedCheckpoint | undefined;
  #looking: Promise<SignedCheckpoint> | undefined;

  /** `published`: the checkpoint that stands in the public store now, where this process writes it. */
  constructor(reader: LogReader, published: (() => SignedCheckpoint) | undefined) {
    this.#reader = reader;
    this.#published = published;
  }

  /**
   * The proof that `body` is at `index`, verified: whoever named the index may be a queue that strangers can write to.
   * `current`: in the latest checkpoint, else in any that covers it. Throws `invalid-proof` where another entry is there,
   * `unreachable`, `corrupt`.
   */
  async prove(body: Uint8Array, index: number, current: boolean): Promise<Place> {
    const checkpoint = await this.#covering(index, current);
    const proof = await this.#reader.inclusionProof(index, checkpoint);
    verifyInclusion({ leafHash: hashLeaf(body), index, size: checkpoint.size, proof, root: checkpoint.root });
    return { checkpoint, hashes: proof };
  }

  async #covering(index: number, current: boolean): Promise<SignedCheckpoint> {
    if (this.#published !== undefined) return covers(this.#published(), index);
    const known = this.#known;
    if (!current && known !== undefined && known.size > index) return known;
    // A look that began before this entry was known to be published may have come too early.
    const found = await this.#look();
    return found.size > index ? found : covers(await this.#look(), index);
  }

  /** One look at a time, however many ask. */
  #look(): Promise<SignedCheckpoint> {
    this.#looking ??= this.#reader.checkpoint().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking.then((found) => {
      if (this.#known === undefined || found.size >= this.#known.size) this.#known = found;
      return found;
    });
  }
}

function covers(checkpoint: SignedCheckpoint, index: number): SignedCheckpoint {
  if (checkpoint.size > index) return checkpoint;
  throw new SteleError(
    'unreachable',
    `entry ${index} was said to be published, and the checkpoint that the public store serves has size ${checkpoint.size}`,
  );
}
