/**
 * A log inside a program: create it, append, read back.
 *
 *     node --conditions=source examples/append.ts [FOLDER]
 *
 * (In your own project: `import … from 'stele'`, and no condition.)
 */

import { randomBytes } from 'node:crypto';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createLog, generateKey } from 'stele';

const folder = process.argv[2] ?? (await mkdtemp(join(tmpdir(), 'stele-append-')));
const store = (name: string): string => pathToFileURL(join(folder, name)).href;

// The key is the log: whoever has it can sign checkpoints. Keep it in a file of mode 0600, or in a key service.
const { skey, vkey } = generateKey('log.example/append', randomBytes(32));

{
  await using log = await createLog({ publicStore: store('public'), privateStore: store('private'), key: skey });

  const first = await log.append(new TextEncoder().encode('hello'));
  const many = await log.appendAll(['one', 'two', 'hello'].map((text) => new TextEncoder().encode(text)));

  console.log(`hello is entry ${first.index}`);
  console.log(
    `then ${many.map(({ index, duplicate }) => `${index}${duplicate ? ' (there already)' : ''}`).join(', ')}`,
  );
  console.log(`published: ${log.published.size} entries`);
} // closing drains, publishes, and releases the lock

console.log(`read it: npx stele fsck ${store('public')} --vkey ${vkey}`);
