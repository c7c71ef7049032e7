/** Where a signer key comes from, and how one is kept: a file of 0600, a file descriptor, or the environment. */

import { readFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isSteleError, SteleError } from '../errors.ts';
import { generateKey, parseSignerKey, type Signer, validateOrigin } from '../note/index.ts';
import type { Environment, LogConfig } from './config.ts';

/** Holds the signer key itself, not its place; wins over `key` of stele.yaml. */
export const KEY_VARIABLE = 'STELE_KEY';
/** Permission bits of group and others. */
const OPEN_TO_OTHERS = 0o077;
const KEY_FILE = 'key file';
/** Bytes of an Ed25519 seed (RFC 8032 §5.1.5). */
const SEED_BYTES = 32;

export interface KeyOptions {
  readonly environment: Environment;
  /** Take a key file that others can read. */
  readonly allowOpenKey: boolean;
}

/** The signer of a configured log. Throws `config` when there is none, or when it is another log's. */
export async function loadLogSigner(config: LogConfig, options: KeyOptions): Promise<Signer> {
  const signer = await loadSigner(config.key, config.dir, options);
  if (signer.name !== config.origin) {
    throw new SteleError(
      'config',
      `the signer key is named ${signer.name}, the origin of ${config.dir} is ${config.origin}`,
    );
  }
  if (config.vkey !== undefined && config.vkey !== signer.verifierKey) {
    throw new SteleError(
      'config',
      `the signer key of ${config.dir} belongs to ${signer.verifierKey}, but vkey in stele.yaml is ${config.vkey}; a log keeps its key: find the right one`,
    );
  }
  return signer;
}

/** The signer key from STELE_KEY, else from `place`: a path relative to `dir`, or `fd:N`. Throws `config`. */
export async function loadSigner(
  place: string | undefined,
  dir: string,
  { environment, allowOpenKey }: KeyOptions,
): Promise<Signer> {
  const given = environment[KEY_VARIABLE];
  if (given !== undefined) return parseKeyText(KEY_VARIABLE, given);
  if (place === undefined) {
    throw new SteleError(
      'config',
      `there is no signer key: set key in stele.yaml to a file or fd:N, or ${KEY_VARIABLE} to the key itself`,
    );
  }
  const descriptor = /^fd:(\d{1,6})$/.exec(place)?.[1];
  if (descriptor !== undefined) return parseKeyText(place, readDescriptor(Number(descriptor), place));
  const path = resolve(dir, place);
  return parseKeyText(path, await readSecretFile(path, KEY_FILE, allowOpenKey));
}

/** Creates a key file, durably, 0600. Throws `config` where there is one already. */
export async function writeKeyFile(path: string, key: string): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path, 'wx', 0o600);
  } catch (cause) {
    throw new SteleError('config', `cannot create the key file ${path}: ${String(cause)}`, { cause });
  }
  try {
    await file.writeFile(`${key}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A new Ed25519 key. Throws `config` for a name that no log can have. */
export function generateNamedKey(
  origin: string,
  random: (length: number) => Uint8Array,
): { readonly skey: string; readonly vkey: string } {
  validateOrigin(origin);
  return generateKey(origin, random(SEED_BYTES));
}

/** The text of a file that is nobody else's to read. `what` is the file's name in messages. Throws `config`. */
export async function readSecretFile(path: string, what: string, allowOpen: boolean): Promise<string> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new SteleError('config', `cannot read the ${what} ${path}: ${String(cause)}`, { cause });
  }
  try {
    const stats = await file.stat();
    if (stats.isDirectory()) throw new SteleError('config', `the ${what} ${path} is a folder`);
    const { mode } = stats;
    if (!allowOpen && process.platform !== 'win32' && (mode & OPEN_TO_OTHERS) !== 0) {
      const permissions = (mode & 0o777).toString(8).padStart(4, '0');
      throw new SteleError(
        'config',
        `the ${what} ${path} has permissions ${permissions}, so others than its owner can use it: run \`chmod 600 ${path}\`${what === KEY_FILE ? ', or insist with --allow-open-key' : ''}`,
      );
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

function readDescriptor(descriptor: number, place: string): string {
  try {
    return readFileSync(descriptor, 'utf8');
  } catch (cause) {
    throw new SteleError('config', `cannot read the key from ${place}: ${String(cause)}`, { cause });
  }
}

/** The text itself never appears in a message. */
function parseKeyText(where: string, text: string): Signer {
  try {
    return parseSignerKey(text.trim());
  } catch (cause) {
    if (!isSteleError(cause)) throw cause;
    throw new SteleError('config', `${where}: not a signer key (PRIVATE+KEY+name+id+…)`, { cause });
  }
}
