/**
 * raw 0.0.1: bytes of any kind, signed by nobody. For logs of other things, and off unless an operator turns it on.
 *
 * The entry is the bytes themselves. So they must not pass for an entry whose signature somebody has checked.
 */

import { loggable } from './canonical.ts';
import { claimedKind } from './claimed-kind.ts';
import type { EntryKind, EntryRules, Prepared } from './kind.ts';
import { type Field, readMessage, readSomeBytes, refuse } from './protojson.ts';

export const raw: EntryKind = {
  kind: 'raw',
  apiVersion: '0.0.1',
  field: 'rawRequestV001',
  read: readRaw,
};

function readRaw(request: Field, { knownKinds }: EntryRules): Prepared {
  const body = readSomeBytes(request, readMessage(request, ['content']), 'content');
  const claimed = claimedKind(body, knownKinds);
  if (claimed !== undefined) return refuse(request, `the content ${claimed}, which only a checked entry may`);
  loggable(body);
  return { prove: async () => ({ body, keys: [] }) };
}
