/** Opening a log for reading, by folder or by URL, with the key that its checkpoints must carry. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_RETRY, LogReader, type RetryPolicy } from '../client/index.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { parseVerifierKey, type Verifier } from '../note/index.ts';
import { directoryUrl, openReadableStore, type ReadableStore } from '../store/index.ts';
import { CONFIG_FILE, type Environment, isUrl, type LogConfig, loadConfig, storeUrl } from './config.ts';
import { loadLogSigner } from './key-file.ts';

export const VKEY_VARIABLE = 'STELE_VKEY';

export interface ReadableLog {
  readonly store: ReadableStore;
  /** What `openReadableStore` opens again, in another thread. */
  readonly storeUrl: string;
  readonly verifier: Verifier;
  readonly retry: RetryPolicy;
  readonly reader: LogReader;
}

/**
 * Opens LOG: a folder with stele.yaml, whose key is known, or the URL of a public store, whose key the caller brings
 * (log.json's keys verify nothing). Throws `config`.
 */
export async function openLog(log: string, vkey: string | undefined, environment: Environment): Promise<ReadableLog> {
  if (!isUrl(log)) return openFolder(log, vkey, environment);
  const key = vkey ?? environment[VKEY_VARIABLE];
  if (key === undefined) {
    throw new SteleError(
      'config',
      `${log} is a URL, so its verifier key must come from elsewhere: give --vkey NAME+ID+KEY or set ${VKEY_VARIABLE}`,
    );
  }
  return readableLog(log, parseVerifier(vkey === undefined ? VKEY_VARIABLE : '--vkey', key));
}

/** The public store of a configured log, for reading. */
export async function openConfiguredLog(
  config: LogConfig,
  vkey: string | undefined,
  environment: Environment,
): Promise<ReadableLog> {
  return readableLog(storeUrl(config, 'public'), await verifierOf(config, vkey, environment));
}

/** The key that stele.yaml records, else what STELE_VKEY says, else what the signer key's public half is. */
export async function verifierOf(
  config: LogConfig,
  vkey: string | undefined,
  environment: Environment,
): Promise<Verifier> {
  if (vkey !== undefined) return parseVerifier('--vkey', vkey);
  if (config.vkey !== undefined) return parseVerifier(`vkey in ${join(config.dir, CONFIG_FILE)}`, config.vkey);
  const given = environment[VKEY_VARIABLE];
  if (given !== undefined) return parseVerifier(VKEY_VARIABLE, given);
  const signer = await loadLogSigner(config, { environment, allowOpenKey: false });
  return parseVerifier('signer key', signer.verifierKey);
}

/** A folder has no network and no cache before it: what is not there now will not be there in a moment either. */
export function readRetry(url: string): RetryPolicy {
  return url.startsWith('file:') ? { ...DEFAULT_RETRY, attempts: 1, absentMs: 0 } : DEFAULT_RETRY;
}

/** Throws `config` naming where the text came from. */
export function parseVerifier(where: string, vkey: string): Verifier {
  try {
    return parseVerifierKey(vkey.trim());
  } catch (cause) {
    if (!isSteleError(cause)) throw cause;
    throw new SteleError('config', `${where}: not a verifier key: ${cause.message}`, { cause });
  }
}

async function openFolder(dir: string, vkey: string | undefined, environment: Environment): Promise<ReadableLog> {
  if (!existsSync(join(dir, CONFIG_FILE)) && existsSync(join(dir, 'checkpoint'))) {
    throw new SteleError(
      'config',
      `${dir} is a public store, not the folder of a log: name it by its URL, ${directoryUrl(dir)}, and bring --vkey`,
    );
  }
  return openConfiguredLog(await loadConfig(dir, environment), vkey, environment);
}

function readableLog(url: string, verifier: Verifier): ReadableLog {
  const store = openReadableStore(url);
  const retry = readRetry(url);
  return { store, storeUrl: url, verifier, retry, reader: new LogReader(store, verifier, { retry }) };
}
