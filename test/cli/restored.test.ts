import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { testRestoredStores, type Which } from './restored.ts';
import { temporaryFolder } from './run-stele.ts';

const folder = temporaryFolder();
const place = (log: string, which: Which): string => join(folder, log, which);

testRestoredStores('in folders', async () => ({
  folder,
  url: place,
  async copy(log, which, name) {
    const copied = join(folder, `${log}-${which}-${name}`);
    await cp(place(log, which), copied, { recursive: true });
    return {
      url: pathToFileURL(copied).href,
      async copyBack() {
        await rm(place(log, which), { recursive: true });
        await cp(copied, place(log, which), { recursive: true });
      },
    };
  },
  empty: (log, which) => rm(place(log, which), { recursive: true }),
}));
