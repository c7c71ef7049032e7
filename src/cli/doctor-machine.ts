/** What `stele doctor` looks at on this machine: the key's permissions, and room on the disks. */

import { stat, statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type Finding, ok, problem, unchecked, warning } from '../client/index.ts';
import type { Environment, LogConfig } from './config.ts';
import { KEY_VARIABLE } from './key-file.ts';

/** Permission bits of group and others. */
const OPEN_TO_OTHERS = 0o077;
const MIB = 2 ** 20;
/** Below this a busy log fills the disk within minutes … */
const LITTLE_SPACE = 1_024 * MIB;
/** … and below this one publication, its journal record, tiles and bundles, may not fit. */
const NO_SPACE = 64 * MIB;
/** Every tile, bundle and queue item is a file. */
const FEW_INODES = 50_000;
const NO_INODES = 1_000;

/** Where the signer key is, and who can read it. */
export async function examineKey(config: LogConfig, environment: Environment): Promise<Finding> {
  if (environment[KEY_VARIABLE] !== undefined) {
    return ok('key-file', `the key comes from ${KEY_VARIABLE}: keep it out of logs, dumps and child processes`);
  }
  if (config.key === undefined) {
    return ok('key-file', 'stele.yaml names no key: this folder reads and submits, and does not sign');
  }
  if (/^fd:\d+$/.test(config.key)) return ok('key-file', `the key comes from descriptor ${config.key}`);
  const path = resolve(config.dir, config.key);
  try {
    const { mode, uid } = await stat(path);
    const permissions = (mode & 0o777).toString(8).padStart(4, '0');
    if ((mode & OPEN_TO_OTHERS) !== 0) {
      return problem(
        'key-file',
        `${path} has permissions ${permissions}: others can read the key, and may have`,
        `chmod 600 ${path}; if anyone who should not have it had it, see “The key is known to others” in docs/runbook.md`,
      );
    }
    return ok('key-file', `${path}: ${permissions}, owner ${uid}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return warning(
      'key-file',
      `the key cannot be seen: ${reason}`,
      'bring the key back from its offline copy: without it nothing can be added to this log, not even its end',
    );
  }
}

/** Bytes and inodes that are left where a folder is. */
export async function examineDisk(folder: string): Promise<Finding> {
  let room: Awaited<ReturnType<typeof statfs>>;
  try {
    room = await statfs(folder);
  } catch (error) {
    return unchecked('disk', `${folder}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return judgeRoom(folder, {
    bytes: room.bavail * room.bsize,
    // File systems that make inodes as they go report 0 of 0.
    inodes: room.files === 0 ? Number.POSITIVE_INFINITY : room.ffree,
  });
}

export function judgeRoom(
  folder: string,
  { bytes, inodes }: { readonly bytes: number; readonly inodes: number },
): Finding {
  const seen = `${folder}: ${Math.floor(bytes / MIB)} MiB${Number.isFinite(inodes) ? ` and ${inodes} inodes` : ''} free`;
  const remedy =
    'make room or move the log before it is full (docs/runbook.md, “The disk is full”); `stele gc` deletes partial tiles that full ones replaced';
  if (bytes < NO_SPACE || inodes < NO_INODES) return problem('disk', seen, remedy);
  return bytes < LITTLE_SPACE || inodes < FEW_INODES ? warning('disk', seen, remedy) : ok('disk', seen);
}
