/** Signer and verifier keys (KEY-1 … KEY-3), as Go's `note` package writes and reads them. */

import { ecdsaVerifierOf } from '#ecdsa';
import { publicKeyOf, signerOf, verifierOf } from '#ed25519';
import { SteleError } from '../errors.ts';
import { sha256 } from '../merkle/index.ts';
import { fromBase64, toBase64, utf8 } from './encoding.ts';
import { isKeyName } from './name.ts';

/** Signs notes under a name. Asynchronous, so that a key service can stand behind it. */
export interface Signer {
  readonly name: string;
  /** First four bytes of the key's hash, as a big-endian number. */
  readonly keyId: number;
  /** The key that verifies, `name+id+base64`. */
  readonly verifierKey: string;
  /** The signature over a note's text, without the key id. */
  sign(text: Uint8Array): Promise<Uint8Array>;
}

/** Verifies what one key signed. */
export interface Verifier {
  readonly name: string;
  readonly keyId: number;
  /** Type byte of the key: which algorithm, over what. */
  readonly type: number;
  readonly vkey: string;
  /** Whether `signature` (without the key id) is this key's over the note's text; never throws. */
  verify(text: Uint8Array, signature: Uint8Array): boolean;
}

export const ED25519 = 0x01;
export const ECDSA = 0x02;
const PRIVATE = 'PRIVATE+KEY+';
const SEED_BYTES = 32;

/** A new Ed25519 key pair from 32 random bytes. Throws `config` for a name that no key can have. */
export function generateKey(name: string, seed: Uint8Array): { readonly skey: string; readonly vkey: string } {
  if (!isKeyName(name)) {
    throw new SteleError('config', `${JSON.stringify(name)} cannot be the name of a key: no space, no "+", not empty`);
  }
  if (seed.length !== SEED_BYTES) throw new SteleError('config', `a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const publicKey = tagged(ED25519, publicKeyOf(seed));
  const id = hexId(keyIdOf(name, publicKey));
  return {
    skey: `${PRIVATE}${name}+${id}+${toBase64(tagged(ED25519, seed))}`,
    vkey: `${name}+${id}+${toBase64(publicKey)}`,
  };
}

/** `PRIVATE+KEY+name+id+base64(01 ‖ seed)`. Throws `malformed`; the message never contains the key. */
export function parseSignerKey(skey: string): Signer {
  const fail = (why: string): never => {
    throw new SteleError('malformed', `signer key: ${why}`);
  };
  if (!skey.startsWith(PRIVATE)) return fail(`does not start with ${PRIVATE}`);
  const { name, id, bytes } = splitKey(skey.slice(PRIVATE.length), 'signer key');
  if (bytes[0] !== ED25519) return fail(`type ${bytes[0]} is not supported, only Ed25519 (1)`);
  if (bytes.length !== 1 + SEED_BYTES) return fail(`${bytes.length - 1} bytes of seed, not ${SEED_BYTES}`);
  const seed = bytes.slice(1);
  const publicKey = tagged(ED25519, publicKeyOf(seed));
  const keyId = keyIdOf(name, publicKey);
  if (keyId !== id) return fail(`the id ${hexId(id)} is not the one of this key and name, ${hexId(keyId)}`);
  const sign = signerOf(seed);
  const verifierKey = `${name}+${hexId(keyId)}+${toBase64(publicKey)}`;
  return { name, keyId, verifierKey, sign: async (text) => sign(text) };
}

/** `name+id+base64(type ‖ key)`, of type Ed25519 or ECDSA. Throws `malformed` with what is wrong. */
export function parseVerifierKey(vkey: string): Verifier {
  const { name, id, bytes } = splitKey(vkey, 'verifier key');
  const type = bytes[0] ?? 0;
  const key = bytes.slice(1);
  const fail = (why: string): never => {
    throw new SteleError('malformed', `verifier key ${JSON.stringify(name)}: ${why}`);
  };
  const known = (verify: Verifier['verify'], keyId: number): Verifier => {
    if (keyId !== id) fail(`the id ${hexId(id)} is not the one of this key and name, ${hexId(keyId)}`);
    return { name, keyId, type, vkey, verify };
  };
  switch (type) {
    case ED25519:
      if (key.length !== 32) return fail(`an Ed25519 key has 32 bytes, not ${key.length}`);
      return known(verifierOf(key), keyIdOf(name, bytes));
    case ECDSA: {
      const verify = ecdsaVerifierOf(key);
      if (verify === undefined) return fail('not an ECDSA key on P-256, P-384 or P-521');
      return known(verify, firstFour(sha256(key))); // this type's id leaves out the name
    }
    default:
      return fail(`type ${type} is not supported: only Ed25519 (1) and ECDSA (2) sign checkpoints here`);
  }
}

/** Type byte and key of a verifier. */
export function keyBytesOf({ vkey }: Verifier): Uint8Array {
  return splitKey(vkey, 'verifier key').bytes;
}

/** The parts of a key; base64 may contain a "+", so the first two cut (KEY-1). */
function splitKey(text: string, what: string): { name: string; id: number; bytes: Uint8Array } {
  const first = text.indexOf('+');
  const second = text.indexOf('+', first + 1);
  const name = text.slice(0, Math.max(0, first));
  const id = text.slice(first + 1, second);
  if (first < 0 || second < 0 || !isKeyName(name) || !/^[0-9a-f]{8}$/.test(id)) {
    throw new SteleError('malformed', `${what}: not name+id+base64, with an id of eight lower-case hex digits`);
  }
  const bytes = fromBase64(text.slice(second + 1), what);
  if (bytes.length === 0) throw new SteleError('malformed', `${what}: no key in it`);
  return { name, id: Number.parseInt(id, 16), bytes };
}

function tagged(type: number, key: Uint8Array): Uint8Array {
  return Uint8Array.from([type, ...key]);
}

/** Four bytes of SHA-256 over name, LF, and the type byte with the key. */
function keyIdOf(name: string, taggedKey: Uint8Array): number {
  return firstFour(sha256(Uint8Array.from([...utf8(`${name}\n`), ...taggedKey])));
}

function firstFour(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
}

export function hexId(keyId: number): string {
  return keyId.toString(16).padStart(8, '0');
}
