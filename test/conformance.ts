/**
 * Holds a store to what a log relies on: `npm run conformance -- URL`.
 *
 * Works below a fresh prefix of the store, prints each promise as kept or broken, and exits with 1 if one is broken,
 * with 2 if the store cannot be opened.
 */
import { isSteleError } from '../src/errors.ts';
import { openStore, runConformance } from '../src/store/index.ts';

const [url] = process.argv.slice(2);
if (url === undefined) {
  console.error('usage: npm run conformance -- URL (such as file:///tmp/store, mem:test)');
  process.exit(2);
}

try {
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
