/**
 * `log.json` (tiles-spec/log-json.md): what a log says of itself, in both stores. The id binds them together; all else
 * is a hint, unsigned, and verifies nothing.
 */

import { z } from 'zod';
import { SteleError } from '../errors.ts';
import { metaFor, type ObjectStore, type ReadableStore } from '../store/index.ts';

export const DESCRIPTION_KEY = 'log.json';
const MAX_BYTES = 64 * 2 ** 10;

const schema = z.object({
  /** 16 random bytes, lower-case hex, made by `init`. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  origin: z.string().min(1),
  /** Verifier keys of the checkpoint. */
  keys: z.array(z.string().min(1)).min(1),
  /** Where the public store is served, if anywhere. */
  url: z.url().optional(),
});

export type LogDescription = Readonly<z.infer<typeof schema>>;

/** Throws `malformed` naming the field. Unknown fields are left for later versions. */
export function parseDescription(bytes: Uint8Array, where: string): LogDescription {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SteleError('malformed', `${where}: not JSON in UTF-8`, { cause });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SteleError('malformed', `${where}: ${issue?.path.join('.') || 'value'}: ${issue?.message}`);
}

export function encodeDescription(description: LogDescription): Uint8Array {
  return new TextEncoder().encode(`${JSON.stringify(description, undefined, 2)}\n`);
}

/** The id as journal records have it, 16 bytes. */
export function idBytes({ id }: LogDescription): Uint8Array {
  return Uint8Array.from(id.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** A store's log.json, or undefined where there is none. */
export async function readDescription(store: ReadableStore): Promise<LogDescription | undefined> {
  const object = await store.get(DESCRIPTION_KEY, { maxBytes: MAX_BYTES });
  return object && parseDescription(object.bytes, `${DESCRIPTION_KEY} of ${store.url}`);
}

/**
 * The id both stores agree on. Throws `refused` where one has none or they differ: one of them is another log's, or
 * was emptied.
 */
export async function readSharedDescription(
  publicStore: ObjectStore,
  privateStore: ObjectStore,
): Promise<LogDescription> {
  const [ours, theirs] = await Promise.all([readDescription(publicStore), readDescription(privateStore)]);
  if (ours === undefined && theirs === undefined) {
    throw new SteleError(
      'config',
      `no log here: neither ${publicStore.url} nor ${privateStore.url} has a ${DESCRIPTION_KEY}; run \`stele init\``,
    );
  }
  if (ours === undefined || theirs === undefined) {
    const empty = ours === undefined ? publicStore : privateStore;
    throw new SteleError(
      'refused',
      `${empty.url} has no ${DESCRIPTION_KEY}, the other store has one: it was emptied, is the wrong store, or \`stele init\` was interrupted; run \`stele init\` again if the log is new, else \`stele recover\``,
    );
  }
  if (ours.id !== theirs.id) {
    throw new SteleError(
      'refused',
      `the stores belong to different logs: ${publicStore.url} is ${ours.id} (${ours.origin}), ${privateStore.url} is ${theirs.id} (${theirs.origin}); name the right stores, see \`stele recover\``,
    );
  }
  return ours;
}

export async function createDescription(store: ObjectStore, description: LogDescription): Promise<boolean> {
  return store.create(DESCRIPTION_KEY, encodeDescription(description), metaFor(DESCRIPTION_KEY));
}
