import { SteleError } from '../errors.ts';
import type { SignedCheckpoint } from '../note/index.ts';

/**
 * The log signed two trees of which neither contains the other. The two notes are evidence that anyone can check:
 * keep them (`bytes`), and show them to others who follow this log.
 */
export class ForkError extends SteleError {
  readonly known: SignedCheckpoint;
  readonly found: SignedCheckpoint;

  constructor(known: SignedCheckpoint, found: SignedCheckpoint) {
    super(
      'fork',
      `${known.origin} signed a checkpoint of size ${known.size} and one of size ${found.size}, and neither extends ` +
        'the other: keep both notes and show them to others who follow this log',
    );
    this.name = 'ForkError';
    this.known = known;
    this.found = found;
  }
}
