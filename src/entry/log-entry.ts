/**
 * TransparencyLogEntry (dev.sigstore.rekor.v1, as protojson): an entry with its place and the proof of it, as a Rekor v2
 * log answers and as bundles carry it. tiles-spec/entries.md has the fields.
 */

import { SteleError } from '../errors.ts';
import { equalBytes, HASH_SIZE, type Hash, hashLeaf, verifyInclusion } from '../merkle/index.ts';
import {
  logIdOf,
  openCheckpoint,
  parseDecimal,
  type SignedCheckpoint,
  toBase64,
  type Verifier,
} from '../note/index.ts';
import { type Json, parseJson } from './json.ts';
import { checkLoggedSignatures, type LoggedEntry, readEntry } from './logged.ts';
import {
  type Field,
  readBytes,
  readList,
  readMessage,
  readSomeBytes,
  readText,
  refuse,
  required,
} from './protojson.ts';
import { raw } from './raw.ts';
import type { VerifySignature } from './signature.ts';

/** As JSON: 64-bit numbers are decimal text, bytes are padded base64, and nothing is left out. */
export interface LogEntryJson {
  readonly logIndex: string;
  readonly logId: { readonly keyId: string };
  readonly kindVersion: { readonly kind: string; readonly version: string };
  /** Version 2 of Rekor tells no time. */
  readonly integratedTime: '0';
  readonly inclusionPromise: null;
  readonly inclusionProof: {
    readonly logIndex: string;
    readonly rootHash: string;
    readonly treeSize: string;
    readonly hashes: readonly string[];
    readonly checkpoint: { readonly envelope: string };
  };
  readonly canonicalizedBody: string;
}

export interface ProvenEntry {
  readonly kind: string;
  readonly apiVersion: string;
  readonly body: Uint8Array;
  readonly index: number;
  /** The audit path in the checkpoint's tree. */
  readonly hashes: readonly Hash[];
  readonly checkpoint: SignedCheckpoint;
}

const decoder = new TextDecoder();

export function formatLogEntry(entry: ProvenEntry, logId: Uint8Array): LogEntryJson {
  const { kind, apiVersion, body, index, hashes, checkpoint } = entry;
  return {
    logIndex: String(index),
    logId: { keyId: toBase64(logId) },
    kindVersion: { kind, version: apiVersion },
    integratedTime: '0',
    inclusionPromise: null,
    inclusionProof: {
      logIndex: String(index),
      rootHash: toBase64(checkpoint.root),
      treeSize: String(checkpoint.size),
      hashes: hashes.map(toBase64),
      checkpoint: { envelope: decoder.decode(checkpoint.bytes) },
    },
    canonicalizedBody: toBase64(body),
  };
}

/** A log entry that was read and not verified. */
export interface LogEntryClaim {
  readonly index: number;
  readonly logId: Uint8Array;
  readonly kind: string;
  readonly version: string;
  readonly proof: {
    readonly index: number;
    readonly root: Uint8Array;
    readonly size: number;
    readonly hashes: readonly Uint8Array[];
    readonly checkpoint: Uint8Array;
  };
  readonly body: Uint8Array;
}

/**
 * Reads a log entry from JSON: as a server answers it, or out of a sigstore bundle with one. Fields that are left out
 * stand for zero or nothing, as protojson may write them. Throws `malformed` naming the field, `limit`.
 */
export function parseLogEntry(bytes: Uint8Array): LogEntryClaim {
  const entry = entryField(parseJson(bytes, 'the log entry'));
  const fields = readMessage(entry, [
    'logIndex',
    'logId',
    'kindVersion',
    'integratedTime',
    'inclusionPromise',
    'inclusionProof',
    'canonicalizedBody',
  ]);
  if (fields.inclusionPromise !== undefined || readSize(fields.integratedTime) !== 0) {
    return refuse(entry, 'carries a promise or a time of Rekor v1, which this does not verify');
  }
  const logId = required(entry, fields, 'logId');
  const kindVersion = required(entry, fields, 'kindVersion');
  const kindFields = readMessage(kindVersion, ['kind', 'version']);
  const proof = required(entry, fields, 'inclusionProof');
  const proofFields = readMessage(proof, ['logIndex', 'rootHash', 'treeSize', 'hashes', 'checkpoint']);
  const checkpoint = required(proof, proofFields, 'checkpoint');
  const envelope = readText(required(checkpoint, readMessage(checkpoint, ['envelope']), 'envelope'));
  return {
    index: readSize(fields.logIndex),
    logId: readSomeBytes(logId, readMessage(logId, ['keyId']), 'keyId'),
    kind: readText(required(kindVersion, kindFields, 'kind')),
    version: readText(required(kindVersion, kindFields, 'version')),
    proof: {
      index: readSize(proofFields.logIndex),
      root: readBytes(required(proof, proofFields, 'rootHash')),
      size: readSize(proofFields.treeSize),
      hashes: readList(proofFields.hashes).map(readHash),
      checkpoint: new TextEncoder().encode(envelope),
    },
    body: readSomeBytes(entry, fields, 'canonicalizedBody'),
  };
}

/** An entry that is in its log, and the checkpoint that says so. */
export interface VerifiedLogEntry {
  readonly index: number;
  readonly body: Uint8Array;
  readonly checkpoint: SignedCheckpoint;
  /** Undefined for raw entries, which are bytes of any kind. */
  readonly entry: LoggedEntry | undefined;
}

/**
 * Verifies all that a log entry claims: the log, the checkpoint's signature, the proof, that every size, index and root
 * in it says the same (most clients look at one of each), the body's form, and its signatures where they are over the
 * digest in it. Throws `unverified` for another log or key, `invalid-proof`, `malformed`.
 */
export async function verifyLogEntry(
  claim: LogEntryClaim,
  log: Verifier,
  verify: VerifySignature,
): Promise<VerifiedLogEntry> {
  if (!equalBytes(claim.logId, logIdOf(log))) {
    throw new SteleError('unverified', `the entry is from another log: its logId is not that of ${log.name}`);
  }
  const { proof, index, body } = claim;
  const checkpoint = openCheckpoint(proof.checkpoint, log);
  if (proof.index !== index) throw contradiction('its logIndex is not that of its proof');
  if (proof.size !== checkpoint.size) throw contradiction('its treeSize is not that of its checkpoint');
  if (!equalBytes(proof.root, checkpoint.root)) throw contradiction('its rootHash is not that of its checkpoint');
  verifyInclusion({
    leafHash: hashLeaf(body),
    index,
    size: checkpoint.size,
    proof: proof.hashes,
    root: checkpoint.root,
  });
  const entry = claim.kind === raw.kind ? undefined : readEntry(body);
  if (entry !== undefined) {
    if (entry.kind !== claim.kind || entry.apiVersion !== claim.version) {
      throw contradiction('its kindVersion is not that of its body');
    }
    await checkLoggedSignatures(entry, verify);
  }
  return { index, body, checkpoint, entry };
}

function contradiction(what: string): SteleError {
  return new SteleError('invalid-proof', `the log entry contradicts itself: ${what}`);
}

/** The one log entry of a bundle (application/vnd.dev.sigstore.bundle), or the value itself. */
function entryField(value: Json): Field {
  if (!(value instanceof Map) || !value.has('verificationMaterial')) return { path: 'the log entry', value };
  const material = value.get('verificationMaterial') as Json;
  const entries = material instanceof Map ? (material.get('tlogEntries') as Json | undefined) : undefined;
  const path = 'verificationMaterial.tlogEntries';
  const list = readList(entries === undefined ? undefined : { path, value: entries });
  const [only] = list;
  return only !== undefined && list.length === 1 ? only : refuse({ path }, `has ${list.length} entries, not one`);
}

function readSize(field: Field | undefined): number {
  if (field === undefined) return 0;
  return parseDecimal(typeof field.value === 'number' ? String(field.value) : readText(field), field.path);
}

function readHash(field: Field): Uint8Array {
  const hash = readBytes(field);
  return hash.length === HASH_SIZE ? hash : refuse(field, `has ${hash.length} bytes, a hash ${HASH_SIZE}`);
}
