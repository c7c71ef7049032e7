/**
 * `stele.yaml`, the environment and flags, as one validated value.
 *
 * A setting has one name everywhere: `publish.interval` is nested in the file, `STELE_PUBLISH_INTERVAL` in the
 * environment, `--publish.interval` as a flag. Flags win over the environment, that wins over the file. What is unknown
 * is refused, so that no misspelt setting is quietly without effect (LIMIT-5).
 */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Document, isMap, LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { ENTRY_KINDS } from '../entry/index.ts';
import { isSteleError, SteleError } from '../errors.ts';
import { parseByteCount, parseCount, parseDuration } from './quantities.ts';

export const CONFIG_FILE = 'stele.yaml';
const MAX_CONFIG_BYTES = 64 * 2 ** 10;

export type Environment = Readonly<Record<string, string | undefined>>;

/** A setting that a text of one of these kinds gives a value to. */
function quantity(parse: (field: string, text: string) => number) {
  return z.union([z.string(), z.number(), z.boolean()]).transform((value, context) => {
    try {
      // YAML 1.2 reads `off` as text and 1000000 as a number; both are what the operator wrote.
      return parse('', String(value));
    } catch (error) {
      if (!isSteleError(error, 'config')) throw error;
      context.addIssue({ code: 'custom', message: error.message.replace(/^: /, '') });
      return z.NEVER;
    }
  });
}

const duration = quantity(parseDuration);
const byteCount = quantity(parseByteCount);
const count = quantity(parseCount);

/** YAML 1.2 reads `on` and `off` as text. */
const onOrOff = z
  .union([z.boolean(), z.enum(['on', 'off', 'true', 'false'])], 'expected on or off')
  .transform((value) => value === true || value === 'on' || value === 'true');

/** For what would mean never, or without rest, at 0. */
function aboveZero(value: typeof count) {
  return value.refine((amount) => amount > 0, 'expected more than 0');
}

const kinds = z
  .union([z.array(z.string()), z.string().transform((text) => text.split(/[ ,]+/).filter(Boolean))])
  .refine((list) => list.length > 0, 'expected one kind at least')
  .refine(
    (list) => list.every((name) => ENTRY_KINDS.some(({ kind }) => kind === name)),
    `expected some of ${ENTRY_KINDS.map(({ kind }) => kind).join(', ')}`,
  );

const schema = z.strictObject({
  /** Name of the log: its first line in every checkpoint. */
  origin: z.string().min(1),
  /** Where the public store is served. */
  url: z.url({ protocol: /^https?$/ }).optional(),
  /** The verifier key: what readers of this folder trust. */
  vkey: z.string().min(1).optional(),
  /** File of the signer key, relative to stele.yaml, or `fd:N`. */
  key: z.string().min(1).optional(),
  /** Folders relative to stele.yaml, or URLs. */
  stores: z.strictObject({ public: z.string().min(1), private: z.string().min(1) }),
  publish: z.strictObject({ interval: duration.optional(), republish: duration.optional() }).optional(),
  /** `url`: a folder relative to stele.yaml, or a URL; `queue/` in the private store unless given. */
  queue: z.strictObject({ url: z.string().min(1).optional(), poll: aboveZero(duration).optional() }).optional(),
  maxUnpublished: z
    .strictObject({
      entries: aboveZero(count).optional(),
      bytes: aboveZero(byteCount).optional(),
      age: aboveZero(duration).optional(),
    })
    .optional(),
  batch: z.strictObject({ entries: aboveZero(count).optional(), bytes: aboveZero(byteCount).optional() }).optional(),
  /** `cache`: older entries than those of the window are recognised, by means of a file in `cache/` (on unless given). */
  dedup: z.strictObject({ window: count.optional(), cache: onOrOff.optional() }).optional(),
  /** What `stele serve` and `stele upload` take; `stele add` takes everything. */
  entries: z.strictObject({ kinds: kinds.optional(), maxPayload: aboveZero(byteCount).optional() }).optional(),
  server: z
    .strictObject({
      listen: z.string().min(1).optional(),
      public: onOrOff.optional(),
      /** A file of bearer tokens, relative to stele.yaml. */
      tokens: z.string().min(1).optional(),
      trustedProxies: z.array(z.string().min(1)).optional(),
      rateLimit: count.optional(),
      maxBody: aboveZero(byteCount).optional(),
      timeout: aboveZero(duration).optional(),
      stale: aboveZero(duration).optional(),
      duplicates: z.enum(['entry', 'conflict']).optional(),
      threads: aboveZero(count).optional(),
    })
    .optional(),
});

/** A log's configuration. Times are in ms; a setting that is absent is its store's default. */
export interface LogConfig extends z.infer<typeof schema> {
  /** The folder of stele.yaml, absolute. */
  readonly dir: string;
}

/** The settings that may also come from the environment and from flags, and what they are for. */
export const SETTINGS = {
  'publish.interval':
    'least time between two publications, such as 100ms; sooner where 16,384 entries wait and no witness is asked',
  'publish.republish': 'sign an idle tree again after this long; off: never',
  'queue.poll': 'how often to look for submissions where nothing wakes the sequencer',
  'maxUnpublished.entries': 'stop taking submissions while this many are not published',
  'maxUnpublished.bytes': 'the same in bytes, such as 128MiB',
  'maxUnpublished.age': 'the same in time, such as 60s',
  'batch.entries': 'most entries of one commit',
  'batch.bytes': 'most bytes of one commit',
  'dedup.window': 'how many of the latest entries are recognised when submitted again, out of memory',
  'dedup.cache': 'on or off: recognise all older ones too, by a file in cache/ that may be deleted at any time',
} as const;

/** Those of `stele serve` alone. */
export const SERVER_SETTINGS = {
  'entries.kinds': `kinds of entries that are taken, of ${ENTRY_KINDS.map(({ kind }) => kind).join(', ')}`,
  'entries.maxPayload': 'most bytes of the payload of a dsse envelope, such as 1MiB',
  'server.rateLimit': 'most submissions a minute of one client; 0: any number',
  'server.maxBody': 'most bytes of one request, such as 4MiB',
  'server.timeout': 'how long a submission may wait for its publication',
  'server.stale': 'not ready when something has waited longer than this',
  'server.duplicates': 'entry: answer a resubmission with the entry that there is; conflict: with 409',
  'server.threads': 'threads that check signatures',
} as const;

export type Setting = keyof typeof SETTINGS | keyof typeof SERVER_SETTINGS;

const FROM_FLAGS = [...Object.keys(SETTINGS), ...Object.keys(SERVER_SETTINGS)];
const FROM_ENVIRONMENT = ['stores.public', 'stores.private', 'queue.url', ...FROM_FLAGS];

export function environmentName(setting: string): string {
  return `STELE_${setting.replace(/[A-Z]/g, '_$&').replaceAll('.', '_').toUpperCase()}`;
}

/** Reads DIR/stele.yaml. Throws `config` naming the file, the variable or the flag, and the field. */
export async function loadConfig(
  dir: string,
  environment: Environment,
  flags: Readonly<Record<string, unknown>> = {},
): Promise<LogConfig> {
  const path = join(dir, CONFIG_FILE);
  const text = await readConfigFile(dir, path);
  return parseConfig(text, path, dir, environment, flags);
}

/** As `loadConfig`, of a text that was read from `path`. */
export function parseConfig(
  text: string,
  path: string,
  dir: string,
  environment: Environment,
  flags: Readonly<Record<string, unknown>> = {},
): LogConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, version: '1.2', uniqueKeys: true });
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) throw new SteleError('config', `${path}: ${broken.message}`, { cause: broken });
  if (!isMap(document.contents))
    throw new SteleError('config', `${path}: expected settings, such as "origin: log.example"`);
  const raw = plainValue(document, path);

  const overriddenBy = new Map<string, string>();
  for (const [setting, value, source] of [...fromEnvironment(environment), ...fromFlags(flags)]) {
    assign(raw, setting.split('.'), value);
    overriddenBy.set(setting, source);
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = [...(issue?.path ?? []), ...(issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : [])];
    const name = field.join('.');
    const source = overriddenBy.get(name) ?? `${path}${lineOf(document.getIn(field, true), lines)}`;
    const problem = issue?.code === 'unrecognized_keys' ? 'there is no such setting' : (issue?.message ?? 'invalid');
    throw new SteleError('config', `${source}: ${name}: ${problem}`);
  }
  const config = { ...parsed.data, dir: resolve(dir) };
  const secret = { 'stores.private': storeUrl(config, 'private'), 'queue.url': queueUrl(config) ?? '' };
  for (const [field, url] of Object.entries(secret)) {
    if (!isInside(url, storeUrl(config, 'public'))) continue;
    const why = 'is the public store or inside it; the journal and the queue must not be public';
    throw new SteleError('config', `${path}: ${field}: ${why}`);
  }
  if (config.vkey !== undefined && !config.vkey.startsWith(`${config.origin}+`)) {
    throw new SteleError('config', `${path}: vkey: is not a key of origin ${config.origin}: ${config.vkey}`);
  }
  return config;
}

/** URL of one of the log's stores; a path is taken relative to the folder of stele.yaml. */
export function storeUrl(config: Pick<LogConfig, 'dir' | 'stores'>, which: 'public' | 'private'): string {
  return placeUrl(config.dir, config.stores[which]);
}

/** URL of the queue, where it is not the private store's own. */
export function queueUrl({ dir, queue }: Pick<LogConfig, 'dir' | 'queue'>): string | undefined {
  return queue?.url === undefined ? undefined : placeUrl(dir, queue.url);
}

function placeUrl(dir: string, place: string): string {
  return isUrl(place) ? place : pathToFileURL(resolve(dir, place)).href;
}

/** By their spelling, for whoever mistypes. Parameters behind a `?` are no part of the place. */
function isInside(inner: string, outer: string): boolean {
  const pathOf = (url: string): string => `${url.replace(/[?#].*$/s, '').replace(/\/+$/, '')}/`;
  return pathOf(inner).startsWith(pathOf(outer));
}

/** Whether a text names a store by URL. One letter before the colon is a drive, not a scheme. */
export function isUrl(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9+.-]+:/.test(text);
}

async function readConfigFile(dir: string, path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const absent = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const advice = `make a log with \`stele init ${dir} --origin NAME\`, or name the folder of one`;
    throw new SteleError(
      'config',
      absent ? `there is no ${path}: ${advice}` : `cannot read ${path}: ${String(cause)}`,
      { cause },
    );
  }
  if (bytes.length > MAX_CONFIG_BYTES)
    throw new SteleError('config', `${path}: ${bytes.length} bytes, more than ${MAX_CONFIG_BYTES}`);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SteleError('config', `${path}: not UTF-8`, { cause });
  }
}

/**
 * Settings in the environment. A variable that begins like a section of the file and is no setting is refused;
 * others are left alone, because orchestrators make up names of their own (`STELE_SERVICE_HOST`).
 */
function fromEnvironment(environment: Environment): [setting: string, value: string, source: string][] {
  const known = new Map(FROM_ENVIRONMENT.map((setting) => [environmentName(setting), setting]));
  const sections = FROM_ENVIRONMENT.filter((setting) => setting.includes('.')).map(
    (setting) => `${environmentName(setting.slice(0, setting.indexOf('.')))}_`,
  );
  return Object.entries(environment).flatMap(([name, value]): [string, string, string][] => {
    if (value === undefined) return [];
    const setting = known.get(name);
    if (setting !== undefined) return [[setting, value, name]];
    if (sections.some((section) => name.startsWith(section))) {
      throw new SteleError('config', `${name}: there is no such setting; known are ${[...known.keys()].join(', ')}`);
    }
    return [];
  });
}

function fromFlags(flags: Readonly<Record<string, unknown>>): [setting: string, value: unknown, source: string][] {
  return FROM_FLAGS.filter((setting) => flags[setting] !== undefined).map((setting) => [
    setting,
    flags[setting],
    `--${setting}`,
  ]);
}

/** Aliases are refused: nothing here needs them, and few bytes of them can stand for gigabytes. */
function plainValue(document: Document, path: string): Record<string, unknown> {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw new SteleError('config', `${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function assign(target: Record<string, unknown>, [head = '', ...rest]: readonly string[], value: unknown): void {
  if (rest.length === 0) {
    target[head] = value;
    return;
  }
  const section = target[head];
  // What is no section is left for the schema to refuse.
  if (section === undefined || section === null) target[head] = {};
  if (typeof target[head] === 'object') assign(target[head] as Record<string, unknown>, rest, value);
}

function lineOf(node: unknown, lines: LineCounter): string {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined;
  return Array.isArray(range) && typeof range[0] === 'number' ? `:${lines.linePos(range[0]).line}` : '';
}
