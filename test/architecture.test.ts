/** The rules of the house (DESIGN §3), held by reading the imports of every source file. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** From the top of the house down; rooms of one floor do not know each other. */
const FLOORS: readonly (readonly string[])[] = [
  ['cli'],
  ['explorer', 'server'],
  ['monitor', 'witness', 'index', 'log'],
  ['client', 'sequencer'],
  ['queue', 'entry', 'store'],
  ['note'],
  ['tiles'],
  ['merkle'],
];
/** Rooms that run unchanged in a browser. */
const PURE = new Set(['merkle', 'tiles', 'note', 'entry', 'client']);
/** Files that `imports` of src/package.json pick for Node, and only for Node. */
const PLATFORM = /-node\.ts$/;
/** What the sequencer must be handed, so that a simulator can hand it something else. */
const OUTSIDE_WORLD =
  /\bDate\b|\bset(Timeout|Interval|Immediate)\b|\bMath\.random\b|\bfetch\(|\bperformance\b|from 'node:/;

interface Import {
  readonly file: string;
  readonly room: string;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function sources(folder = SRC): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

function roomOf(path: string): string {
  const parts = relative(SRC, path).split('/');
  return parts.length > 1 ? (parts[0] ?? '') : '';
}

function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  const file = relative(SRC, path);
  const statements = text.matchAll(
    /^(import|export)\s+(type\s)?[^;'"]*?from\s+'([^']+)'|\bimport\(\s*'([^']+)'\s*\)|^import\s+'([^']+)'/gm,
  );
  return [...statements].map(([statement, , type, from, dynamic, bare]) => ({
    file,
    room: roomOf(path),
    specifier: from ?? dynamic ?? bare ?? '',
    typeOnly: type !== undefined || onlyTypes(statement),
  }));
}

/** `import { type A, type B } from …`: erased as well. */
function onlyTypes(statement: string): boolean {
  const braces = /^\s*(?:import|export)\s*\{([^}]*)\}/.exec(statement)?.[1];
  return braces?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false;
}

const ALL = sources().flatMap(importsOf);

function targetOf(from: Import): string | undefined {
  return from.specifier.startsWith('.') ? normalize(join(SRC, dirname(from.file), from.specifier)) : undefined;
}

test('imports between rooms point down the house, and go through the room’s index', () => {
  const floor = (room: string): number => FLOORS.findIndex((rooms) => rooms.includes(room));
  const wrong: string[] = [];
  for (const one of ALL) {
    const target = targetOf(one);
    if (target === undefined || one.room === '') continue;
    const room = roomOf(target);
    if (room === one.room || relative(SRC, target) === 'errors.ts' || relative(SRC, target) === 'clock.ts') continue;
    const say = `${one.file} imports ${one.specifier}`;
    if (room === '') wrong.push(`${say}: rooms do not import the library entries above them`);
    else if (floor(room) < 0 || floor(room) <= floor(one.room)) wrong.push(`${say}: not below ${one.room}`);
    else if (relative(SRC, target) !== `${room}/index.ts`) wrong.push(`${say}: not through its index`);
  }
  assert.deepEqual(wrong, []);
  assert.ok(ALL.length > 100, 'the imports were found at all');
});

test('every room is on a floor, and starts its index with a paragraph on what it is for', () => {
  for (const entry of readdirSync(SRC, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    assert.ok(FLOORS.flat().includes(entry.name), `${entry.name} is not in the house`);
    const index = readFileSync(join(SRC, entry.name, entry.name === 'cli' ? 'main.ts' : 'index.ts'), 'utf8');
    assert.match(index, /^\/\*\*[\s\S]{60,}?\*\//, `${entry.name} does not say what it is for`);
  }
});

test('the pure rooms import no Node module and use no Node global', () => {
  for (const path of sources()) {
    const file = relative(SRC, path);
    if (!PURE.has(roomOf(path)) || PLATFORM.test(path)) continue;
    const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    assert.equal(/from 'node:|import\('node:|\bBuffer\b|\bprocess\./.exec(text)?.[0], undefined, file);
  }
});

test('client imports of the store only types: it is handed an ObjectStore', () => {
  const values = ALL.filter((one) => one.room === 'client' && targetOf(one)?.includes('/store/') && !one.typeOnly);
  assert.deepEqual(values, []);
});

test('the sequencer asks the world nothing: no clock, timer, randomness or network of its own', () => {
  for (const path of sources(join(SRC, 'sequencer'))) {
    const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    assert.equal(OUTSIDE_WORLD.exec(text)?.[0], undefined, relative(SRC, path));
  }
});

test('what differs between Node and browsers has one file for each', () => {
  const { imports } = JSON.parse(readFileSync(join(SRC, 'package.json'), 'utf8')) as {
    imports: Record<string, Record<string, string>>;
  };
  for (const [name, conditions] of Object.entries(imports)) {
    assert.deepEqual(Object.keys(conditions), ['node', 'default'], name);
    for (const target of Object.values(conditions)) assert.ok(readFileSync(join(SRC, target)).length > 0, target);
  }
});
