/** Trees, records and tiles after their specifications, with nothing of the program's own: what the oracle goes by. */

import { hash } from 'node:crypto';

/** Bytes, as long as nothing else is said; entries are kept as strings of one character a byte. */
const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer');
const EMPTY = hash('sha256', '', 'buffer');

/** A growing RFC 6962 tree: every complete subtree of 2^h leaves by its height and number. Begins as the first `size` leaves of another. */
export class Tree {
  readonly #below: Tree | undefined;
  readonly #offsets: number[];
  readonly #levels: Buffer[][] = [[]];
  size: number;

  constructor(below?: Tree, size = below?.size ?? 0) {
    this.#below = below;
    this.size = size;
    this.#offsets = [];
    for (let count = this.size; count > 0; count = Math.floor(count / 2)) this.#offsets.push(count);
  }

  append(entry: string): void {
    let node = sha256(Buffer.concat([Buffer.of(0), Buffer.from(entry, 'latin1')]));
    this.size += 1;
    for (let height = 0; ; height++) {
      this.#levels[height] ??= [];
      this.#levels[height]?.push(node);
      const count = (this.#offsets[height] ?? 0) + (this.#levels[height]?.length ?? 0);
      if (count % 2 === 1) return;
      node = parent(this.node(height, count - 2), node);
    }
  }

  node(height: number, n: number): Buffer {
    const offset = this.#offsets[height] ?? 0;
    const found = n < offset ? this.#below?.node(height, n) : this.#levels[height]?.[n - offset];
    if (found === undefined) throw new RangeError(`no subtree ${n} of height ${height}`);
    return found;
  }

  /** The root that the tree had at `size`. */
  root(size: number): Buffer {
    let root: Buffer | undefined;
    for (let height = 0; 2 ** height <= size; height++) {
      if (Math.floor(size / 2 ** height) % 2 === 0) continue;
      const peak = this.node(height, Math.floor(size / 2 ** height) - 1);
      root = root === undefined ? peak : parent(peak, root);
    }
    return root ?? EMPTY;
  }
}

const pair = Buffer.alloc(65, 1);

function parent(left: Buffer, right: Buffer): Buffer {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

export interface ExpectedObject {
  readonly key: string;
  readonly bytes: Buffer;
}

/** What must be served at size `to` and need not at size `from` (c2sp.org/tlog-tiles): tiles and bundles. */
export function* expectedObjects(
  tree: Tree,
  entry: (index: number) => string,
  from: number,
  to: number,
): Generator<ExpectedObject> {
  for (let level = -1; ; level++) {
    const unit = 256 ** Math.max(level, 0);
    const [old, count] = [Math.floor(from / unit), Math.floor(to / unit)];
    if (count === 0) return;
    if (count === old) continue;
    for (let n = Math.floor(old / 256); n * 256 < count; n++) {
      const width = Math.min(256, count - n * 256);
      const parts = Array.from({ length: width }, (_, i) =>
        level < 0 ? bundled(entry(n * 256 + i)) : tree.node(8 * level, n * 256 + i),
      );
      yield { key: pathOf(level < 0 ? 'entries' : String(level), n, width), bytes: Buffer.concat(parts) };
    }
  }
}

function bundled(entry: string): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(entry.length);
  return Buffer.concat([length, Buffer.from(entry, 'latin1')]);
}

export const bundleOf = (entries: readonly string[]): Buffer => Buffer.concat(entries.map(bundled));

function pathOf(level: string, n: number, width: number): string {
  let digits = String(n % 1000).padStart(3, '0');
  for (let rest = Math.floor(n / 1000); rest > 0; rest = Math.floor(rest / 1000)) {
    digits = `x${String(rest % 1000).padStart(3, '0')}/${digits}`;
  }
  return `tile/${level}/${digits}${width < 256 ? `.p/${width}` : ''}`;
}

/** A journal record, as tiles-spec/journal.md has it. */
export interface Record {
  readonly base: number;
  readonly baseRoot: Buffer;
  readonly end: number;
  readonly endRoot: Buffer;
  readonly freeze: boolean;
  readonly entries: readonly string[];
}

const HEADER = 136;

export const journalKey = (base: number): string => `journal/${String(base).padStart(16, '0')}`;

export function readRecord(stored: Uint8Array): Record {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  const entries: string[] = [];
  for (let at = HEADER; at < HEADER + bytes.readUInt32BE(132); ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    entries.push(bytes.toString('latin1', at + 2, end));
    at = end;
  }
  return {
    base: Number(bytes.readBigUInt64BE(48)),
    baseRoot: bytes.subarray(56, 88),
    end: Number(bytes.readBigUInt64BE(88)),
    endRoot: bytes.subarray(96, 128),
    freeze: bytes.readUInt32BE(128) === 1,
    entries,
  };
}

export function writeRecord(logId: Uint8Array, record: Record): Buffer {
  const payload = bundleOf(record.entries);
  const bytes = Buffer.alloc(HEADER + payload.length);
  bytes.write('stele-journal/v2', 'latin1');
  bytes.set(logId, 16);
  bytes.writeBigUInt64BE(BigInt(record.base), 48);
  bytes.set(record.baseRoot, 56);
  bytes.writeBigUInt64BE(BigInt(record.end), 88);
  bytes.set(record.endRoot, 96);
  bytes.writeUInt32BE(record.freeze ? 1 : 0, 128);
  bytes.writeUInt32BE(payload.length, 132);
  bytes.set(payload, HEADER);
  const leaves = record.entries.map((entry) => sha256(Buffer.from(`\0${entry}`, 'latin1')));
  return Buffer.concat([bytes, sha256(Buffer.concat([bytes.subarray(0, HEADER), ...leaves]))]);
}

/** Size and root of a signed or unsigned checkpoint. */
export function readTree(checkpoint: Uint8Array): { size: number; root: string } {
  const [, size = '', root = ''] = Buffer.from(checkpoint).toString('latin1').split('\n');
  return { size: Number(size), root: Buffer.from(root, 'base64').toString('hex') };
}
