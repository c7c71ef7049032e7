/** Whether what must be private can be fetched by anyone: the private store, and the signer key. */

import { realpath } from 'node:fs/promises';
import { dirname, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ask, type Finding, ok, problem, warning } from '../client/index.ts';
import { isBucketUrl, publicUrl } from '../store/index.ts';
import { type LogConfig, storeUrl } from './config.ts';

/** How every signer key begins (c2sp.org/signed-note). */
const SIGNER_KEY = 'PRIVATE+KEY+';

/**
 * A private folder or a key below what the web server serves: asked for at the URL where the public folder's
 * neighbours would be.
 */
export async function examineFolderPrivacy(config: LogConfig, ask: Ask): Promise<Finding> {
  const [publicFolder, privateFolder] = await Promise.all(
    (['public', 'private'] as const).map((which) => whereItLies(fileURLToPath(storeUrl(config, which)))),
  );
  if (publicFolder === undefined || privateFolder === undefined) throw new Error('two folders were asked for');
  const inside = (outer: string, inner: string): boolean => `${inner}${sep}`.startsWith(`${outer}${sep}`);
  if (inside(publicFolder, privateFolder)) {
    return problem(
      'private-store',
      `${privateFolder} is inside ${publicFolder}, where links lead it: whoever can read the log can read its queue`,
      'move the private folder out of the public one, and name its new place in stele.yaml',
    );
  }
  if (config.url === undefined) return ok('private-store', `${privateFolder} is not inside ${publicFolder}`);
  const secrets = [
    { path: resolve(privateFolder, 'log.json'), isSecret: (text: string) => text.includes('"id"') },
    ...(config.key === undefined || config.key.startsWith('fd:')
      ? []
      : [{ path: resolve(config.dir, config.key), isSecret: (text: string) => text.includes(SIGNER_KEY) }]),
  ];
  for (const { path, isSecret } of secrets) {
    const url = neighbourUrl(config.url, publicFolder, path);
    if (url === undefined) continue;
    const { status, bytes } = await ask(url);
    if (status !== 200 || !isSecret(new TextDecoder().decode(bytes))) continue;
    const what = path.startsWith(`${privateFolder}${sep}`) ? 'the private store' : 'the signer key';
    const compromised = what === 'the signer key' ? ', and see “The key is known to others” in docs/runbook.md' : '';
    return problem(
      'private-store',
      `${url} serves ${what} to everyone`,
      `make ${publicFolder}, and nothing above it, what the web server serves (${dirname(path)} must not be below its root)${compromised}`,
    );
  }
  return ok('private-store', `neither ${privateFolder} nor the key is served beside ${config.url}`);
}

/** Where links lead; that a folder is not there is another check's finding. */
function whereItLies(folder: string): Promise<string> {
  return realpath(folder).catch(() => folder);
}

/** The URL that a file outside the public folder would have, if the folders above it were served as well. */
export function neighbourUrl(base: string, publicFolder: string, path: string): string | undefined {
  const parts = relative(publicFolder, path).split(sep);
  const up = parts.filter((part) => part === '..').length;
  const url = new URL(base.endsWith('/') ? base : `${base}/`);
  const depth = url.pathname.split('/').length - 2;
  // What lies above the root of the server has no URL there.
  if (up > depth) return undefined;
  return new URL(parts.map(encodeURIComponent).join('/'), url).href;
}

/** A private bucket, asked without credentials for an object and for a list. */
export async function examineBucketPrivacy(config: LogConfig, ask: Ask): Promise<Finding> {
  const store = storeUrl(config, 'private');
  if (!isBucketUrl(store)) return ok('private-store', `${store} is on this machine`);
  const base = await publicUrl(store);
  const remedy =
    'take public access away from this bucket or prefix, at once; submissions in it were open to everyone: tell those who sent them';
  const object = await ask(`${base}log.json`);
  if (object.status === 200) return problem('private-store', `${base}log.json can be read by everyone`, remedy);
  const list = await ask(listUrl(store, base));
  if (list.status === 200 && new TextDecoder().decode(list.bytes.subarray(0, 4_096)).includes('ListBucketResult')) {
    return problem('private-store', `the objects below ${base} can be listed by everyone`, remedy);
  }
  const seen = `${base}log.json answers ${object.status}, a list ${list.status}, to everyone`;
  // Whoever may not read is told 403, whether the object is there or not.
  return object.status === 404 ? warning('private-store', `${seen}: not refused`, remedy) : ok('private-store', seen);
}

/** The list of one object below a store, as S3 names it: the store's prefix becomes a query. */
function listUrl(store: string, base: string): string {
  const path = new URL(store).pathname.split('/').filter((part) => part !== '');
  // minio: has the bucket in its path, s3: has it as host.
  const prefix = (store.startsWith('minio:') ? path.slice(1) : path).join('/');
  const root = prefix === '' ? base : base.slice(0, -`${prefix}/`.length);
  return `${root}?list-type=2&max-keys=1&prefix=${encodeURIComponent(prefix === '' ? '' : `${prefix}/`)}`;
}
