/** Writing the stele.yaml of a new log. */

import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { CONFIG_FILE } from './config.ts';

export interface NewConfig {
  readonly origin: string;
  readonly url: string | undefined;
  readonly vkey: string | undefined;
  readonly key: string | undefined;
  readonly stores: { readonly public: string; readonly private: string };
}

const HEADER = `# A transparency log: made by \`stele init\`, read by every verb with -C or as LOG.
# Settings that can be added, with their names, are listed by \`stele sequence --help\`, for example:
#   publish:
#     interval: 1s
`;

export function formatConfig(config: NewConfig): string {
  return HEADER + stringify(config);
}

/** Creates DIR/stele.yaml whole or not at all. */
export async function writeConfig(dir: string, text: string): Promise<void> {
  const path = join(dir, CONFIG_FILE);
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w');
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
