/** A process that takes the lock of a directory, says so, and holds it until it is told to end, or killed. */
import { isSteleError } from '../../src/errors.ts';
import { lockDirectory } from '../../src/store/index.ts';

const [dir = '', waitMs = '0', holder = 'test'] = process.argv.slice(2);

try {
  const lock = await lockDirectory(dir, { waitMs: Number(waitMs), holder });
  process.stdout.write('locked\n');
  // The connection is referred to by nothing but the lock's own module: it must outlive any collection of garbage.
  globalThis.gc?.();
  process.stdin.once('data', async () => {
    await lock.release();
    process.stdout.write('released\n');
    process.stdin.destroy();
  });
} catch (error) {
  process.stdout.write(`${isSteleError(error) ? `${error.code}: ${error.message}` : String(error)}\n`);
  process.exitCode = 3;
}
