/** Arguments that several verbs take, declared once. */

import { SERVER_SETTINGS, SETTINGS } from './config.ts';
import { parseCount, parseDuration } from './quantities.ts';

export const LOG = {
  describe: 'a folder with stele.yaml, or the URL of a public store (https:, http:, file:)',
  type: 'string',
  demandOption: true,
} as const;

export const INDEX = { describe: 'position in the log, from 0', type: 'string', demandOption: true } as const;

export const VKEY = {
  describe: "the log's verifier key (name+id+key); needed where LOG is a URL [or STELE_VKEY]",
  type: 'string',
  requiresArg: true,
} as const;

export const DIR = {
  alias: 'C',
  describe: "the log's folder, with stele.yaml",
  type: 'string',
  default: '.',
  requiresArg: true,
} as const;

export const OUT = { alias: 'o', describe: 'write to this file instead', type: 'string', requiresArg: true } as const;

export const LOCK_WAIT = {
  describe: 'wait this many seconds for another writer to finish, instead of giving up at once',
  type: 'string',
  default: '0',
  requiresArg: true,
} as const;

export const ALLOW_OPEN_KEY = {
  describe: 'use a key file even if others can read it',
  type: 'boolean',
  default: false,
} as const;

export const ALLOW_EPHEMERAL = {
  describe: 'write to folders inside a GitHub Actions workflow, where two runs can fork a log',
  type: 'boolean',
  default: false,
} as const;

function settingFlags(settings: Readonly<Record<string, string>>, group: string) {
  return Object.fromEntries(
    Object.entries(settings).map(([setting, describe]) => [
      setting,
      { describe, type: 'string', requiresArg: true, group } as const,
    ]),
  );
}

/** `--publish.interval` and its like, one per setting of stele.yaml. */
export const SETTING_FLAGS = settingFlags(SETTINGS, 'Settings (as in stele.yaml):');
export const SERVER_SETTING_FLAGS = settingFlags(SERVER_SETTINGS, 'Settings of the server (as in stele.yaml):');

/** Index of an entry as it is written on a command line. Throws `config`. */
export function parseIndex(text: string): number {
  return parseCount('INDEX', text);
}

/** Seconds (`5`), or a duration with its unit, in ms. Throws `config` naming `flag`. */
export function parseSeconds(flag: string, text: string): number {
  return parseDuration(flag, /^\d+$/.test(text) && text !== '0' ? `${text}s` : text);
}
