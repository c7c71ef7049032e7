/**
 * The first minutes with Stele: `npm run quickstart`.
 *
 * Builds a log in ./quickstart-log out of this repository's own lockfile (one entry for each package and the integrity
 * hash that npm holds it to), proves one entry, verifies the proof offline, and shows that a tampered entry is refused.
 * Everything is done with the command line, and every command is shown, so that each can be typed again.
 */

import { fileURLToPath } from 'node:url';
import { $, chalk, fs, path, within } from 'zx';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = 'quickstart-log';
const LOG = `${FOLDER}/log`;
const ORIGIN = 'quickstart.example/packages';
const PROVED = 'typescript';

process.chdir(ROOT);
$.verbose = false;

interface Package {
  readonly name: string;
  readonly version: string;
  readonly integrity: string;
}

function packagesOfLockfile(): Package[] {
  const { packages } = fs.readJsonSync('package-lock.json') as {
    packages: Record<string, { version?: string; integrity?: string }>;
  };
  return Object.entries(packages).flatMap(([where, { version, integrity }]) => {
    const name = where.replace(/^.*node_modules\//, '');
    return version && integrity ? [{ name, version, integrity }] : [];
  });
}

const entryOf = ({ name, version, integrity }: Package): string => `${name}@${version} ${integrity}`;

/** Runs `stele …` as a user would type it, shows it and what it prints; gives the exit status and what it printed. */
async function stele(...args: string[]): Promise<{ status: number | null; stdout: string }> {
  console.log(chalk.cyan(`\n$ npx stele ${args.map((arg) => (/[^\w./:=+-]/.test(arg) ? `'${arg}'` : arg)).join(' ')}`));
  const { exitCode, stdout, stderr } = await within(
    () => $({ nothrow: true, quiet: true })`${process.execPath} bin/stele.js ${args}`,
  );
  const lines = `${stdout}${stderr}`.trimEnd().split('\n');
  for (const line of lines.slice(0, 8)) console.log(`  ${line}`);
  if (lines.length > 8) console.log(chalk.gray(`  … ${lines.length - 8} more lines`));
  return { status: exitCode, stdout };
}

async function must(...args: string[]): Promise<string> {
  const { status, stdout } = await stele(...args);
  if (status !== 0) throw new Error(`stele ${args[0]} ended with status ${status}`);
  return stdout;
}

const say = (text: string): void => console.log(chalk.bold(`\n${text}`));

const packages = packagesOfLockfile();
await fs.emptyDir(FOLDER);
const entries = path.join(FOLDER, 'entries.txt');
await fs.writeFile(entries, packages.map((one) => `${entryOf(one)}\n`).join(''));

say(`1. A new log in ${LOG}: a key, a public store, a private store.`);
const created = await must('init', LOG, '--origin', ORIGIN, '--json');
const { vkey } = JSON.parse(created) as { vkey: string };

say(`2. Submit ${packages.length} entries: what this repository's lockfile says of each package.`);
await must('add', '-C', LOG, '--lines', entries);

say('3. Sequence them: tiles, entry bundles and a signed checkpoint, all plain files.');
await must('sequence', '-C', LOG, '--once');
await must('checkpoint', LOG);

const proved = packages.findIndex(({ name }) => name === PROVED);
const one = packages[proved];
if (one === undefined) throw new Error(`${PROVED} is not in the lockfile`);
// Submitting an entry again is how its index is found: the log answers with the first one.
const unique = [...new Set(packages.map(entryOf))];
const index = unique.indexOf(entryOf(one));
const proof = path.join(FOLDER, `${PROVED}.tlog-proof`);
const good = path.join(FOLDER, `${PROVED}.txt`);
const bad = path.join(FOLDER, `${PROVED}-tampered.txt`);
await fs.writeFile(good, entryOf(one));
await fs.writeFile(bad, entryOf({ ...one, version: `${one.version}-evil` }));

say(
  `4. Prove that entry ${index}, ${PROVED}@${one.version}, is in the log. The proof is one file; keep it with the artifact.`,
);
await must('prove', LOG, String(index), '-o', proof);

say('5. Verify it offline, with nothing but the proof, the entry and the log’s key.');
await must('verify', '--vkey', vkey, '--proof', proof, good);

say('6. The same proof with a tampered entry is refused.');
const tampered = await stele('verify', '--vkey', vkey, '--proof', proof, bad);
if (tampered.status !== 1) throw new Error(`a tampered entry must be refused with status 1, not ${tampered.status}`);

say('7. Check the whole log: every hash, every object.');
await must('fsck', LOG);

say('It works. What to try next:');
console.log(`  npx stele get ${LOG} ${index}                  read an entry, verified
  npx stele sequence -C ${LOG} &        keep a sequencer running, then
  npx stele add -C ${LOG} README.md --wait    log a file, wait until it is published
  npx stele serve -C ${LOG}             serve it over HTTP: any reader, CDN or auditor will do
  npx stele --help                                everything else
`);
