/** For `--import`: tells, when the process ends, the most memory that it ever had, in the file that PEAK_FILE names. */

import { readFileSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const { PEAK_FILE } = process.env;

// Not resourceUsage().maxRSS: Linux lets a child begin with that of the process which started it.
if (isMainThread && PEAK_FILE !== undefined) {
  process.on('exit', () => {
    const [, kibibytes = ''] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    writeFileSync(PEAK_FILE, kibibytes);
  });
}
