/**
 * Holds a store to what a log relies on: `npm run conformance -- URL`.
 *
 * Probes a bucket as a writer does, then works below a fresh prefix of the store and prints each promise as kept or
 * broken. Exits with 1 if one is broken, with 2 if the URL, the credentials or the store are wrong, with 3 if the store
 * cannot be reached.
 */
import { isSteleError } from '../src/errors.ts';
import { isBucketUrl, openStore, probeStore, runConformance } from '../src/store/index.ts';

const [url] = process.argv.slice(2);
if (url === undefined) {
  console.error(
    'usage: npm run conformance -- URL (such as file:///tmp/store, mem:test, s3://bucket/prefix?region=…, minio://host:port/bucket)',
  );
  process.exit(2);
}

try {
  if (!(await isAccepted(url))) process.exit(1);
  const { kept, broken } = await runConformance(
    () => openStore(url),
    ({ name, promise, broken, milliseconds }) => {
      console.log(`${broken === undefined ? 'kept  ' : 'BROKEN'} ${name}: ${promise} (${Math.round(milliseconds)} ms)`);
      if (broken !== undefined) {
        console.log(`       ${String(broken)}`);
      }
    },
  );
  console.log(`${url}: ${kept} promises kept, ${broken} broken`);
  process.exitCode = broken === 0 ? 0 : 1;
} catch (error) {
  if (!isSteleError(error)) {
    throw error;
  }
  console.error(error.message);
  process.exitCode = error.code === 'config' ? 2 : 3;
}

/** What a writer holds a bucket to whenever it starts; one that fails that need not be asked for more. */
async function isAccepted(url: string): Promise<boolean> {
  if (!isBucketUrl(url)) return true;
  const store = await openStore(url);
  try {
    await probeStore(store);
    console.log(`${url}: a writer accepts it`);
    return true;
  } catch (error) {
    if (!isSteleError(error, 'config')) throw error;
    console.log(error.message);
    return false;
  } finally {
    await store.close();
  }
}
