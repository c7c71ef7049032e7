/**
 * The planted bugs: rules of the protocol taken out, each of which the simulator must catch. Nothing of this is in the
 * program: a mutation replaces lines of its source while it is imported, or makes a store unsound.
 */

import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Profile } from './profile.ts';
import type { Planted } from './schedule.ts';

export interface Replacement {
  /** A file of src/sequencer, and what stands there exactly once. */
  readonly file: string;
  readonly line: string;
  readonly by: string;
}

export interface Mutation {
  readonly what: string;
  /** In which schedules it can show at all; unless given, in any. */
  readonly shows?: (profile: Profile) => boolean;
  readonly replacements: readonly Replacement[];
  readonly planted?: Planted;
}

const AUTHORITY = `const now = await retrying(deps, 'reading the checkpoint', () =>
    requireCheckpoint(deps.publicStore, deps.verifier, state.published.checkpoint),
  );`;

/** The eight that must be found, and some more. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'no-authority-read': {
    what: 'a record counts as soon as it is created',
    replacements: [{ file: 'commit.ts', line: AUTHORITY, by: 'const now = state.published;' }],
  },
  'acknowledge-before-publish': {
    what: 'an item is answered when it is committed',
    replacements: [
      {
        file: 'publisher.ts',
        line: 'if (delivery.neededSize > size) still.push(delivery);',
        by: 'if (delivery.neededSize > this.#shared.state.edge.size) still.push(delivery);',
      },
    ],
  },
  'publish-without-swap': {
    what: 'the checkpoint is overwritten whatever stands there',
    replacements: [],
    planted: { ignoresIfMatch: true },
  },
  'collect-the-last-record': {
    what: 'the record that ends at the published size is collected, too',
    replacements: [
      {
        file: 'publisher.ts',
        line: 'const obsolete = state.journal.filter((base) => base < last);',
        by: 'const obsolete = state.journal.filter((base) => base <= last);',
      },
    ],
  },
  'no-backfill': {
    what: 'entries that a jump brought are not added to the dedup window',
    replacements: [
      {
        file: 'load.ts',
        line: 'for (let i = 0; i < words.length / 8; i++) window.push(words, i);\n  }\n  window.release(size);',
        by: 'for (let i = 0; i < words.length / 8; i++) window.push(new Int32Array(8), 0);\n  }\n  window.release(size);',
      },
    ],
  },
  'no-base-root-check': {
    what: 'a record is walked and adopted when its base has the right size, whatever its root',
    shows: ({ disasterAfter }) => disasterAfter !== undefined,
    replacements: [
      {
        file: 'load.ts',
        line: 'return record.baseSize === head.size && equalBytes(record.baseRoot, head.root);',
        by: 'return record.baseSize === head.size;',
      },
      // The root that its entries make is held against the one it states, too: the same check, from the other end.
      { file: 'load.ts', line: 'if (!equalBytes(state.edge.root(), record.newRoot)) {', by: 'if (false) {' },
      {
        file: 'load.ts',
        line: 'advance(state, record.baseSize, [segment], { size: record.newSize, root: record.newRoot, own: false, seen });',
        by: 'advance(state, record.baseSize, [segment], { size: record.newSize, root: state.edge.root(), own: false, seen });',
      },
    ],
  },
  'trust-unknown-as-failure': {
    what: 'a create of unknown outcome is taken for one that failed, and those who submitted are refused',
    replacements: [
      {
        file: 'commit.ts',
        line: "if (!isSteleError(error, 'outcome-unknown')) throw error;\n      unknown = error;",
        by: 'throw error;',
      },
      {
        file: 'committer.ts',
        line: 'const result = await commitRecord(this.#deps, state, { key: record.key, bytes: record.bytes, staged });',
        by: `const result = await commitRecord(this.#deps, state, { key: record.key, bytes: record.bytes, staged }).catch(
          async (error) => {
            if (error.code !== 'outcome-unknown') throw error;
            for (const { delivery, from, to } of first.batch.parts) {
              delivery.outcomes.fill(Number.NaN, from, to);
            }
            this.#finish(first);
            await this.#takeBack();
            return undefined;
          },
        );
        if (result === undefined) return true;`,
      },
    ],
  },
  'trust-unknown-as-success': {
    what: 'a create of unknown outcome is taken for one that succeeded',
    replacements: [
      {
        file: 'commit.ts',
        line: "if (!isSteleError(error, 'outcome-unknown')) throw error;\n      unknown = error;",
        by: "if (!isSteleError(error, 'outcome-unknown')) throw error;\n      return undefined;",
      },
    ],
  },
  'sign-before-authority': {
    what: 'the tree with our record is signed when the record is created, before the checkpoint is read',
    replacements: [
      {
        file: 'commit.ts',
        line: AUTHORITY,
        by: `if (other === undefined) {
          const bytes = Buffer.from(candidate.bytes);
          const text = [deps.signer.name, bytes.readBigUInt64BE(88), bytes.toString('base64', 96, 128), ''].join('\\n');
          await deps.signer.sign(new TextEncoder().encode(text));
        }
        ${AUTHORITY}`,
      },
    ],
  },
  'no-last-record-check': {
    what: 'a published tree is loaded without the record that ends there',
    shows: ({ disasterAfter }) => disasterAfter !== undefined,
    replacements: [{ file: 'load.ts', line: 'if (tree.size === 0) return;', by: 'return;' }],
  },
  'no-gap-check': {
    what: 'records beyond what can be reached from the published size are overlooked',
    shows: ({ disasterAfter }) => disasterAfter !== undefined,
    replacements: [
      {
        file: 'load.ts',
        line: 'const stray = journal.find((base) => base >= size && !reached.has(base));',
        by: 'const stray = undefined;',
      },
    ],
  },
  'reclaim-without-comparing': {
    what: 'after a jump our record is taken to be in the log, whatever is there',
    replacements: [
      {
        file: 'committer.ts',
        line: 'isThere: record !== undefined && (await isLogged(this.#deps.publicStore, loaded, record))',
        by: 'isThere: record !== undefined',
      },
    ],
  },
  'publish-before-tiles': {
    what: 'a checkpoint is published without what it needs',
    replacements: [
      {
        file: 'publish.ts',
        line: '() => createAll(deps, objects));',
        by: 'async () => void createAll(deps, objects).catch(() => {}));',
      },
    ],
  },
  'trust-the-window': {
    what: 'what leaves the window while older entries are confirmed is forgotten (found once, by chance, with seed 1962)',
    shows: ({ remembers }) => remembers,
    replacements: [{ file: 'committer.ts', line: 'if (state.window.start > older.covered) continue;', by: '' }],
  },
  'believe-the-cache': {
    what: 'an index that a cache remembers is told without a look into the log',
    shows: ({ remembers }) => remembers,
    replacements: [
      {
        file: 'older-entries.ts',
        line: 'if (equalBytes(hashes.subarray(at, at + HASH_SIZE), hashOf(i))) continue;',
        by: 'continue;',
      },
    ],
  },
};

/** How often what is to be replaced stands in the program. */
export function timesFound({ file, line }: Replacement): number {
  return readFileSync(fileURLToPath(sourceOf(file)), 'utf8').split(line).length - 1;
}

/** Takes effect on what is imported afterwards. Throws where the program no longer has what is to be replaced. */
export function mutate(name: string): Planted {
  const mutation = MUTATIONS[name];
  if (mutation === undefined) throw new Error(`no mutation ${name}; there are ${Object.keys(MUTATIONS).join(', ')}`);
  const pending = new Map<string, Replacement[]>();
  for (const replacement of mutation.replacements) {
    const url = sourceOf(replacement.file);
    const found = timesFound(replacement);
    if (found !== 1) throw new Error(`${name}: ${replacement.file} has ${found} times: ${replacement.line}`);
    pending.set(url, [...(pending.get(url) ?? []), replacement]);
  }
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context);
      const replacements = pending.get(url);
      if (replacements === undefined) return loaded;
      pending.delete(url);
      let source = Buffer.from((loaded.source ?? '') as string).toString();
      for (const { line, by } of replacements) source = source.replace(line, () => by);
      return { ...loaded, source };
    },
  });
  unapplied = pending;
  return mutation.planted ?? { ignoresIfMatch: false };
}

let unapplied: ReadonlyMap<string, unknown> = new Map();

/** Throws unless the program was imported after `mutate`, as a whole. */
export function checkApplied(): void {
  if (unapplied.size > 0) throw new Error(`not mutated: ${[...unapplied.keys()].join(', ')}`);
}

const sourceOf = (file: string): string => new URL(`../../src/sequencer/${file}`, import.meta.url).href;
