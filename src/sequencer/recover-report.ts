/** Recover: evidence and intentions in words, for an operator to judge. */

import { DESCRIPTION_KEY } from './description.ts';
import { recordKey } from './record.ts';
import { asideKey } from './recover-apply.ts';
import type { Evidence } from './recover-evidence.ts';
import type { Plan } from './recover-plan.ts';

/** An object of the public store that is not what the tree needs. */
export interface Problem {
  readonly key: string;
  /** Wrong bytes; otherwise missing. */
  readonly damaged: boolean;
}

/** What was found, and what nobody can know from it. */
export function describeEvidence(evidence: Evidence, plan: Plan): string[] {
  const { published, mirrored, records, unreadable, undescribed, names } = evidence;
  const { signed, committed, known } = plan.history;
  const lines = undescribed.map(
    ({ store, found }) => `${DESCRIPTION_KEY} of ${storeName(evidence, store)} is ${found}`,
  );
  switch (published.kind) {
    case 'valid':
      lines.push(`the checkpoint in ${names.publicStore} has size ${published.checkpoint.size}`);
      break;
    case 'invalid':
      lines.push(`the checkpoint in ${names.publicStore} is not one that this log signed: ${published.why}`);
      break;
    case 'absent':
      lines.push(`${names.publicStore} has no checkpoint`);
      break;
  }
  if (mirrored !== undefined) lines.push(`the mirror has a checkpoint of size ${mirrored.size}, signed by this log`);

  const [first] = records;
  const last = records.at(-1);
  if (first === undefined || last === undefined) {
    lines.push(`${names.privateStore} has no journal record that can be read`);
  } else {
    const ends = last.freeze ? `frozen at size ${last.newSize}` : `size ${last.newSize}`;
    lines.push(
      `the journal in ${names.privateStore} has ${records.length} ${records.length === 1 ? 'record' : 'records'}, from size ${first.baseSize} to ${ends}`,
    );
  }
  for (const { base, why } of unreadable) lines.push(`${recordKey(base)} is no record of this log: ${why}`);
  if (committed > signed.size) {
    const who = plan.sign ? 'this' : 'the next writer';
    lines.push(`the journal goes on from the signed size ${signed.size} to ${committed}: ${who} publishes what it has`);
  }
  if (known > committed) {
    lines.push(
      `bundles in ${names.publicStore} go on to size ${known}: they are written of committed entries only, so they belong to the log; no signature and no record confirms their bytes`,
    );
  }
  return [...lines, ...caveats(evidence, plan)];
}

function caveats({ published, mirrored, records, unreadable }: Evidence, plan: Plan): string[] {
  const { history, sign, finding } = plan;
  if (finding === 'healthy') return [];
  const lines: string[] = [];
  const reaches = records.some(({ newSize }) => newSize >= history.signed.size);
  const unwitnessed = mirrored === undefined || mirrored.size < history.known;
  if (unwitnessed && (!reaches || published.kind !== 'valid')) {
    lines.push(
      `not to be known: whether a checkpoint larger than ${history.known} was ever published; what is left is taken to be current`,
    );
  }
  if (!reaches || unreadable.length > 0) {
    lines.push('not to be known without its last records: whether this log was frozen; if it was, freeze it again');
  }
  if (sign)
    lines.push(
      'the new checkpoint has the signature of this log alone; cosignatures are collected when a writer publishes',
    );
  return lines;
}

/** What applying the plan writes, in its order. */
export function describeWrites(
  evidence: Evidence,
  plan: Plan,
  problems: { readonly listed: readonly Problem[]; readonly count: number },
): string[] {
  const { names, undescribed } = evidence;
  const { target, boundaryStart, setAside, sign } = plan;
  const lines = undescribed.map(
    ({ store }) => `${DESCRIPTION_KEY} in ${storeName(evidence, store)}, as the other store has it`,
  );
  for (const { key, damaged } of problems.listed) {
    lines.push(`${key} in ${names.publicStore}, which is ${damaged ? 'damaged' : 'missing'}`);
  }
  const unlisted = problems.count - problems.listed.length;
  if (unlisted > 0) lines.push(`${unlisted} more tiles and bundles in ${names.publicStore}`);
  for (const base of setAside) {
    lines.push(
      `${recordKey(base)} in ${names.privateStore} is set aside, as ${asideKey(base, 0)} or the next free name`,
    );
  }
  if (boundaryStart !== undefined) {
    lines.push(`a journal record in ${names.privateStore} that ends at size ${target}, with its last entries`);
  }
  if (sign) lines.push(`a checkpoint of size ${target} in ${names.publicStore}, signed`);
  return lines;
}

function storeName({ names }: Evidence, store: 'public' | 'private'): string {
  return store === 'public' ? names.publicStore : names.privateStore;
}
