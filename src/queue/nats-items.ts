/** One message of a queue on NATS: an item, or something bad (tiles-spec/submission.md, "NATS"). */

import { isSteleError, SteleError } from '../errors.ts';
import { HEADER_ROOM } from './nats-streams.ts';
import {
  checkEntry,
  type ItemLimits,
  isSubmissionId,
  MAX_ITEM_BYTES,
  MAX_ITEM_ENTRIES,
  parseSubmission,
  splitEntries,
  submissionId,
} from './submission.ts';
import type { QueueItem } from './types.ts';

/** The longest line of a receipt that names an index: 16 digits, ` duplicate`, and the line feed. */
const RECEIPT_LINE_BYTES = 27;

/** The length of an entry, and the head of a submission, in bytes. */
const ENTRY_OVERHEAD = 2 + 24;

/** A message as it was delivered. */
export interface DeliveredMessage {
  /** Its number in the stream, from 1. */
  readonly seq: number;
  /** The header `Nats-Msg-Id`, '' without one. */
  readonly messageId: string;
  readonly bytes: Uint8Array;
}

/** A message that will never be an item, and why. */
export interface BadMessage extends DeliveredMessage {
  /** SHA-256 of its bytes. */
  readonly id: string;
  readonly bad: string;
}

export interface ReceivedItem {
  readonly seq: number;
  readonly item: QueueItem;
}

/** What submitters know an item by: `0000000000000042-<id>`, the number of its message and its id. */
export function natsItemName(seq: number, id: string): string {
  return `${String(seq).padStart(16, '0')}-${id}`;
}

/** Throws `malformed` for what is no such name. */
export function parseNatsItemName(name: string): { readonly seq: number; readonly id: string } {
  const [, digits, id = ''] = /^([0-9]{16})-(.{64})$/.exec(name) ?? [];
  const seq = Number(digits);
  if (isSubmissionId(id) && Number.isSafeInteger(seq) && seq > 0) return { seq, id };
  throw new SteleError('malformed', `${JSON.stringify(name)} is not the name of an item on NATS`);
}

/** The `Nats-Msg-Id` of a submission: its id; or, where message `refused` with equal bytes was refused, one more. */
export function messageIdOf(id: string, refused?: number): string {
  return refused === undefined ? id : `${id}.after-${refused}`;
}

/** The item of a message, of which nothing is believed. */
export function readMessage(message: DeliveredMessage): ReceivedItem | BadMessage {
  const id = submissionId(message.bytes);
  try {
    const entries = parseSubmission(message.bytes);
    if (message.messageId !== id && !message.messageId.startsWith(`${id}.`)) {
      throw new SteleError('malformed', `its Nats-Msg-Id is not its SHA-256, ${id}`);
    }
    return { seq: message.seq, item: { id, entries } };
  } catch (error) {
    if (isSteleError(error)) return { ...message, id, bad: error.message };
    throw error;
  }
}

/**
 * Cuts entries into runs of which each fits a message, and its receipt another one. Throws `limit` for an entry that the
 * log, or the server with its `maxPayload` in bytes, does not take; nothing is cut then.
 */
export function splitForMessages(entries: readonly Uint8Array[], maxPayload: number): Uint8Array[][] {
  const most = messageLimits(maxPayload);
  for (const [place, entry] of entries.entries()) {
    checkEntry(entry, place);
    if (entry.length + ENTRY_OVERHEAD <= most.bytes) continue;
    const room = Math.max(0, most.bytes - ENTRY_OVERHEAD);
    throw new SteleError(
      'limit',
      `entry ${place} has ${entry.length} bytes; with max_payload ${maxPayload} the NATS server takes ${room}: raise it. Nothing was submitted`,
    );
  }
  return splitEntries(entries, most);
}

export function messageLimits(maxPayload: number): ItemLimits {
  const room = maxPayload - HEADER_ROOM;
  return {
    bytes: Math.min(MAX_ITEM_BYTES, room),
    entries: Math.max(1, Math.min(MAX_ITEM_ENTRIES, Math.floor(room / RECEIPT_LINE_BYTES) - 2)),
  };
}
