/** The two stores of a log that is about to be made: where they may lie, and who may read them. */

import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SteleError } from '../errors.ts';
import {
  allowPublicRead,
  ensureBucket,
  isBucketUrl,
  isPubliclyReadable,
  makeRoot,
  openStore,
  publicUrl,
} from '../store/index.ts';
import { type LogConfig, storeUrl } from './config.ts';

export interface PreparedStores {
  /** Remarks for the operator. */
  readonly notes: readonly string[];
}

/**
 * Makes what is missing of both stores, lets everyone read the public one where that was asked for, and refuses a private
 * one that everyone can read. Nothing of a log is written. Throws `config`, `unreachable`.
 */
export async function prepareStores(
  config: Pick<LogConfig, 'dir' | 'stores'>,
  { publicRead }: { readonly publicRead: boolean },
): Promise<PreparedStores> {
  const urls = { public: storeUrl(config, 'public'), private: storeUrl(config, 'private') };
  for (const [which, url] of Object.entries(urls)) refuseMemory(which, url);
  if (publicRead && !isBucketUrl(urls.public)) {
    throw new SteleError(
      'config',
      `--public-read is for buckets; ${urls.public} is served by a web server (\`stele serve\`)`,
    );
  }
  await refuseNested(urls);
  const notes: string[] = [];
  for (const url of Object.values(urls)) {
    if (isBucketUrl(url)) {
      if ((await ensureBucket(url)) === 'made') notes.push(`made the bucket of ${url}`);
    } else await (await openStore(url)).close();
  }
  if (publicRead) await allowPublicRead(urls.public);
  if (isBucketUrl(urls.private) && (await isPubliclyReadable(urls.private))) {
    throw new SteleError(
      'config',
      `stores.private: everyone can read ${urls.private}, where submissions lie before anybody decided to log them: take public access away from that bucket (its policy, its ACL), or choose another one`,
    );
  }
  if (isBucketUrl(urls.public)) {
    const open = publicRead || (await isPubliclyReadable(urls.public));
    const base = await publicUrl(urls.public);
    notes.push(
      open
        ? `everyone can read ${base}`
        : `not everyone can read ${base}: allow it with --public-read, or let a CDN read it`,
    );
  }
  return { notes };
}

function refuseMemory(which: string, url: string): void {
  if (!url.startsWith('mem:')) return;
  throw new SteleError(
    'config',
    `stores.${which}: ${url} is gone when this command ends: name a folder or a bucket (memory stores are for programs)`,
  );
}

/** One store in the other: the public would read the queue, or the lists of one would have objects of the other. */
async function refuseNested(urls: { readonly public: string; readonly private: string }): Promise<void> {
  const [publicPlace, privatePlace] = [await placeOf(urls.public), await placeOf(urls.private)];
  const within = (inner: string, outer: string): boolean => inner.startsWith(outer);
  if (!within(privatePlace, publicPlace) && !within(publicPlace, privatePlace)) return;
  const same = publicPlace === privatePlace;
  const how = same
    ? 'are one place'
    : within(privatePlace, publicPlace)
      ? 'lie one in the other: the private store is in the public one'
      : 'lie one in the other: the public store is in the private one';
  throw new SteleError(
    'config',
    `stores: ${urls.public} and ${urls.private} ${how}; give each a folder, a bucket or a prefix of its own`,
  );
}

/** Where a store is, in the one spelling that two of one kind can be compared in; ends with a separator. */
async function placeOf(url: string): Promise<string> {
  if (isBucketUrl(url)) return publicUrl(url);
  if (!url.startsWith('file:')) return url.endsWith('/') ? url : `${url}/`;
  return `${(await makeRoot(fileURLToPath(url))).replace(/[\\/]$/, '')}${sep}`;
}
