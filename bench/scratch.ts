/**
 * Folders for runs that are compared. A file system with a journal looks over what was lately deleted before it makes a
 * file: ext4 does for a minute and more, at nearly a millisecond of processor time a file after a big log was removed,
 * whoever's the log and whoever's the file. So between runs logs are emptied, which gives back their memory and their
 * blocks, and all are removed at the end.
 */

import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export interface Scratch {
  /** Runs `work` with a fresh folder, the files in which are empty afterwards. */
  run<T>(work: (folder: string) => Promise<T>): Promise<T>;
}

/** Runs `work` with a place below `parent` (default: the system's temporary folder), which is gone afterwards. */
export async function withScratch(
  parent: string | undefined,
  work: (scratch: Scratch) => Promise<void>,
): Promise<void> {
  const root = await mkdtemp(join(resolve(parent ?? tmpdir()), 'stele-bench-'));
  try {
    await work({
      async run(task) {
        const folder = await mkdtemp(join(root, 'run-'));
        try {
          return await task(folder);
        } finally {
          await emptyFiles(folder);
        }
      },
    });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function emptyFiles(folder: string): Promise<void> {
  for (const found of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (found.isFile()) await truncate(join(found.parentPath, found.name));
  }
}
