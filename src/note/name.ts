/** Key names and origins (NOTE-4, CKPT-2). */

import { SteleError } from '../errors.ts';

/** What Go's unicode.IsSpace and Unicode's White_Space hold for space; U+FEFF, which JavaScript adds, is not one. */
const SPACE = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is the check that there are none (NOTE-3)
const CONTROL = /[\0-\x1f]/;

export function isKeyName(name: string): boolean {
  return name !== '' && name.isWellFormed() && !name.includes('+') && !SPACE.test(name) && !CONTROL.test(name);
}

/**
 * Holds a new log's name to what the specifications ask and recommend: it becomes the first line of every checkpoint
 * and the name of the log's key, and can never be changed. Throws `config` with what is wrong.
 */
export function validateOrigin(origin: string): void {
  const fail = (why: string): never => {
    throw new SteleError(
      'config',
      `origin ${JSON.stringify(origin)}: ${why}; use the log's public URL without scheme, such as log.example/demo`,
    );
  };
  if (origin === '') fail('is empty');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(origin)) fail('has a scheme');
  if (origin.endsWith('/')) fail('ends in a slash');
  if (!isKeyName(origin)) fail('a space, a control character or a "+" cannot be in the name of a key');
  if (new TextEncoder().encode(origin).length > 255) fail('is longer than 255 bytes, which cosignatures cannot carry');
}
