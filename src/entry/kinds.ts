/** The kinds of entries. Another one is a file beside these and a line here. */

import { dsse } from './dsse.ts';
import { hashedrekord } from './hashedrekord.ts';
import type { EntryKind } from './kind.ts';
import { raw } from './raw.ts';

export const KINDS: readonly EntryKind[] = [hashedrekord, dsse, raw];
