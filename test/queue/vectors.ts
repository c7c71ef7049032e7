/** The vectors of tiles-spec/submission.md, decoded. */

import { readFileSync } from 'node:fs';
import type { EntryOutcome } from '../../src/queue/index.ts';

interface Case {
  readonly id: string;
  readonly what: string;
  readonly expect: 'accept' | 'refuse';
}

interface Vectors {
  readonly submissions: readonly (Case & {
    readonly submission: string;
    readonly entries?: readonly string[];
    readonly item?: string;
  })[];
  readonly receipts: readonly (Case & {
    readonly receipt: string;
    readonly treeSize?: number;
    readonly outcomes?: readonly EntryOutcome[];
  })[];
  readonly names: readonly (Case & { readonly name: string })[];
}

const file = new URL('../../tiles-spec/vectors/submissions.json', import.meta.url);

export const vectors: Vectors = JSON.parse(readFileSync(file, 'utf8'));

export function bytesOf(base64: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64, 'base64'));
}
