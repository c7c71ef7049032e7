/** PEM where DER belongs is the commonest mistake: it is called by its name. */

import { SteleError } from '../errors.ts';

const DASHES = 0x2d;

/** Throws `malformed` for bytes that start as PEM does. */
export function refusePem(bytes: Uint8Array, what: string): void {
  if (!bytes.subarray(0, 5).every((byte) => byte === DASHES)) return;
  throw new SteleError(
    'malformed',
    `${what} is PEM; send the DER inside it: the base64 between its first and last line`,
  );
}
