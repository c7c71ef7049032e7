/**
 * The receipt of an item as bytes: lines of text, the same in a spool directory and in a bucket (tiles-spec/submission.md).
 *
 *     stele-receipt/v1
 *     tree 70000
 *     69990
 *     17 duplicate
 *     refused entry 2 is not JSON
 *
 * One line per entry follows the size of the tree. Every receipt has exactly one encoding.
 */

import { SteleError } from '../errors.ts';
import { MAX_ITEM_ENTRIES } from './submission.ts';
import type { Answer, EntryOutcome, Receipt } from './types.ts';

/** Characters of a reason that are kept, so that a receipt of 65,536 refusals stays below 16 MiB. */
const MAX_REASON_LENGTH = 240;
export const MAX_RECEIPT_BYTES = 16 * 2 ** 20;
/** How long a receipt stays, in milliseconds (DESIGN §5, "Queue items"): one hour. */
export const RECEIPT_LIFE_MS = 3_600_000;
/** Pause between two looks for old receipts, in milliseconds. */
export const SWEEP_EVERY_MS = RECEIPT_LIFE_MS / 6;

/** The two lines of the head, and one per entry. */
const MAX_LINES = 2 + MAX_ITEM_ENTRIES;

const FIRST_LINE = 'stele-receipt/v1';
const TREE_LINE = /^tree (0|[1-9][0-9]{0,15})$/;
const INDEX_LINE = /^(0|[1-9][0-9]{0,15})( duplicate)?$/;
const REFUSED_LINE = new RegExp(`^refused ([\\x20-\\x7e]{1,${MAX_REASON_LENGTH}})$`);

/**
 * The receipt as text. A reason is cut to 240 characters, and what is not printable ASCII becomes `?`: reasons quote
 * other people's bytes, and end up on terminals. Throws `limit` for a number of outcomes that no item has.
 */
export function encodeReceipt(receipt: Receipt): Uint8Array {
  checkCount(receipt.outcomes.length);
  const lines = receipt.outcomes.map(outcomeLine);
  return new TextEncoder().encode(`${FIRST_LINE}\ntree ${receipt.treeSize}\n${lines.join('\n')}\n`);
}

/** Reads a receipt, of which nothing is believed. Throws `malformed`, naming the line, or `limit`. */
export function parseReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_BYTES) {
    throw new SteleError('limit', `a receipt has at most ${MAX_RECEIPT_BYTES} bytes, not ${bytes.length}`);
  }
  // Every byte becomes one character; those above ASCII match no line. One line too many is enough to know.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
  const lines = text.split('\n', MAX_LINES + 2);
  if (lines.pop() !== '') throw malformed(lines.length + 1, 'it does not end in a line feed');
  const [first, tree, ...rest] = lines;
  if (first !== FIRST_LINE) throw malformed(1, `it does not say ${FIRST_LINE}`);
  const treeSize = toNumber(TREE_LINE.exec(tree ?? '')?.[1]);
  if (treeSize === undefined) throw malformed(2, 'it does not say "tree" and the size of a tree');
  checkCount(rest.length);
  return { treeSize, outcomes: rest.map((line, place) => parseOutcome(line, place + 3, treeSize)) };
}

/** Throws `malformed` unless the receipt has one outcome per entry of its item: else somebody would wait for ever. */
export function checkAnswer({ item, receipt }: Answer): void {
  if (receipt.outcomes.length === item.entries.length) return;
  throw new SteleError(
    'malformed',
    `item ${item.id} has ${item.entries.length} entries, its receipt ${receipt.outcomes.length} outcomes`,
  );
}

function outcomeLine(outcome: EntryOutcome): string {
  if ('refused' in outcome) {
    const reason = outcome.refused.slice(0, MAX_REASON_LENGTH).replace(/[^\x20-\x7e]/g, '?');
    return `refused ${reason || 'no reason given'}`;
  }
  return outcome.duplicate ? `${outcome.index} duplicate` : `${outcome.index}`;
}

function parseOutcome(line: string, lineNumber: number, treeSize: number): EntryOutcome {
  const refused = REFUSED_LINE.exec(line)?.[1];
  if (refused !== undefined) return { refused };
  const match = INDEX_LINE.exec(line);
  const index = toNumber(match?.[1]);
  if (index === undefined) throw malformed(lineNumber, 'it is neither an index nor a refusal');
  if (index >= treeSize) throw malformed(lineNumber, `index ${index} is not in a tree of ${treeSize}`);
  return { index, duplicate: match?.[2] !== undefined };
}

function toNumber(digits: string | undefined): number | undefined {
  const value = Number(digits);
  return Number.isSafeInteger(value) ? value : undefined;
}

function checkCount(count: number): void {
  if (count >= 1 && count <= MAX_ITEM_ENTRIES) return;
  throw new SteleError('limit', `a receipt has 1 to ${MAX_ITEM_ENTRIES} outcomes, not ${count}`);
}

function malformed(line: number, why: string): SteleError {
  return new SteleError('malformed', `line ${line} of the receipt is not what it should be: ${why}`);
}
