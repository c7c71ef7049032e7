/** Digests of messages by the platform's WebCrypto, which hashes long ones off the main thread. */

import type { HashName } from './algorithms.ts';

const WEB_NAMES: Readonly<Record<HashName, string>> = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' };

export async function digestOf(hash: HashName, message: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(WEB_NAMES[hash], new Uint8Array(message)));
}
