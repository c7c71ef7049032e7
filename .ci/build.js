// Compiles src/ to dist/ for publishing: tsc for the code, and src/package.json with its `imports` naming what tsc made.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
rmSync(new URL('dist', root), { recursive: true, force: true });
const compiler = new URL('node_modules/typescript/bin/tsc', root);
const { status } = spawnSync(process.execPath, [compiler.pathname, '-p', 'src'], { cwd: root, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
const scope = readFileSync(new URL('src/package.json', root), 'utf8');
writeFileSync(new URL('dist/package.json', root), scope.replaceAll('.ts"', '.js"'));
