/**
 * `npm run catalogue`: which case of the test catalogue is tested where, by the ids in the names of the tests, and what
 * is not, and why. Exits with 1 where a case is neither tested nor explained.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The families of the catalogue's sections and how many cases each has, numbered from 1. */
const SECTIONS: readonly { readonly title: string; readonly families: Readonly<Record<string, number>> }[] = [
  { title: '1 growth and cost', families: { GROW: 10 } },
  { title: '2 write faults', families: { FAULT: 20 } },
  { title: '3 crash', families: { CRASH: 8 } },
  { title: '4 power loss and disk', families: { POWER: 6, DISK: 4 } },
  { title: '5 concurrency', families: { RACE: 11 } },
  { title: '6 object stores', families: { STORE: 15 } },
  { title: '7 corruption at start', families: { CORRUPT: 13 } },
  { title: '8 publication', families: { PUB: 6 } },
  { title: '9 dedup', families: { DEDUP: 9 } },
  { title: '10 clock', families: { CLOCK: 4 } },
  { title: '11 load and limits', families: { LOAD: 8, LIMIT: 5 } },
];

/** What no test of this repository is about, and why. */
const NOT_COVERED: Readonly<Record<string, string>> = {
  'LOAD-8': 'a day is longer than CI has; test/long/kill and buckets are its parts',
  'PUB-5': 'there are no witnesses yet; what a cosigner may do to a publication is tested with a stand-in',
};

interface Coverage {
  readonly section: string;
  readonly id: string;
  /** Test files, relative to test/. */
  readonly files: readonly string[];
  readonly reason: string | undefined;
}

export function catalogue(): Coverage[] {
  const where = filesById();
  return SECTIONS.flatMap(({ title, families }) =>
    Object.entries(families).flatMap(([family, count]) =>
      Array.from({ length: count }, (_, i) => {
        const id = `${family}-${i + 1}`;
        return { section: title, id, files: [...(where.get(id) ?? [])], reason: NOT_COVERED[id] };
      }),
    ),
  );
}

/** From the names of tests: `(FAULT-4, FAULT-9)`, `(FAULT-1…10)`. */
function filesById(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' }).sort()) {
    if (!/\.(test|long|interop)\.ts$/.test(file)) continue;
    for (const [, name = ''] of readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(
      /\btest\(\s*([^\n]*)/g,
    )) {
      for (const [, family, from, to] of name.matchAll(/\b([A-Z]{3,7})-(\d+)(?:…(\d+))?/g)) {
        for (let n = Number(from); n <= Number(to ?? from); n++) {
          const id = `${family}-${n}`;
          found.set(id, (found.get(id) ?? new Set()).add(file));
        }
      }
    }
  }
  return found;
}

if (import.meta.main) {
  const cases = catalogue();
  for (const { title } of SECTIONS) {
    const all = cases.filter(({ section }) => section === title);
    console.log(`\n${title}: ${all.filter(({ files }) => files.length > 0).length} of ${all.length}`);
    for (const { id, files, reason } of all) {
      console.log(
        `  ${id.padEnd(11)} ${files.length > 0 ? files.join(', ') : `not covered: ${reason ?? 'UNEXPLAINED'}`}`,
      );
    }
  }
  const covered = cases.filter(({ files }) => files.length > 0).length;
  console.log(`\n${covered} of ${cases.length} cases, ${Math.floor((100 * covered) / cases.length)} %`);
  if (cases.some(({ files, reason }) => files.length === 0 && reason === undefined)) process.exitCode = 1;
}
