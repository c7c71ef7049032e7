/**
 * Stores that went back in time, were emptied, or belong to another log: what `stele sequence` says of them, and what
 * `stele recover` makes of them. The same tests for a log in folders (npm test) and in the buckets of a real server.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Ran, steleHere } from './run-stele.ts';

export type Which = 'public' | 'private';

/** Where a log can be kept. */
export interface Ground {
  /** The folders of logs, with stele.yaml and key. */
  readonly folder: string;
  /** What `stele init` is given for the store of a log. */
  url(log: string, which: Which): string;
  /** Copies a store to a place of its own, whose URL it gives; `copyBack` puts that copy in the place of the store. */
  copy(log: string, which: Which, name: string): Promise<{ readonly url: string; copyBack(): Promise<void> }>;
  empty(log: string, which: Which): Promise<void>;
}

/** `open` says why it cannot run here (and skips), or gives the ground. */
export function testRestoredStores(name: string, open: (t: TestContext) => Promise<Ground | undefined>): void {
  test(`${name}: an older copy of the public store is refused, and brought forward as far as there are copies`, async (t) => {
    const ground = await open(t);
    if (ground === undefined) return;
    const log = await newLog(ground, 'older');
    await log.append(0, 300);
    const first = await ground.copy('older', 'public', 'first');
    await log.append(300, 10);
    const second = await ground.copy('older', 'public', 'second');

    await first.copyBack();
    await log.isRefused(/the journal has no record of the published tree.*went back in time.*see `stele recover`/);
    // The journal reaches back to it: its last record holds what the older copy lacks.
    await log.isMended('public-older', /would write: a checkpoint of size 310 /);
    await log.goesOn(310);

    await log.append(311, 20);
    await log.append(331, 20);
    const latest = await ground.copy('older', 'public', 'latest');
    await second.copyBack();
    await log.isRefused(/went back in time.*see `stele recover`/);
    const { status, stderr } = await log.stele('recover', '--apply');
    assert.equal(status, 2, stderr);
    assert.match(stderr, /entries 310 to 330 are missing: .*name a mirror that has it with --from URL/);
    await log.isMended('public-older', /would write: /, '--from', latest.url);
    await log.goesOn(351);
  });

  test(`${name}: an emptied private store is refused, and made anew from what is published`, async (t) => {
    const ground = await open(t);
    if (ground === undefined) return;
    const log = await newLog(ground, 'emptied');
    await log.append(0, 300);
    await log.append(300, 10);
    await ground.empty('emptied', 'private');
    await log.isRefused(/has no log\.json, the other store has one: it was emptied.*`stele recover`/);
    const again = await log.stele('init-again');
    assert.equal(again.status, 2, 'init never resets a log');
    assert.match(again.stderr, /there is history already \(checkpoint\).*see `stele recover`/);
    await log.isMended('private-lost', /would write: log\.json .*would write: a journal record .* ends at size 310/s);
    await log.goesOn(310);
  });

  test(`${name}: an older copy of the private store is refused, and brought to what is published`, async (t) => {
    const ground = await open(t);
    if (ground === undefined) return;
    const log = await newLog(ground, 'behind');
    await log.append(0, 300);
    const old = await ground.copy('behind', 'private', 'old');
    await log.append(300, 10);
    await old.copyBack();
    await log.isRefused(/journal\/0000000000000000, ends at 300: .*went back in time.*see `stele recover`/);
    await log.isMended('private-older', /would write: a journal record .* ends at size 310/);
    await log.goesOn(310);
  });

  test(`${name}: a private store of another log is refused, with the names of both, and left alone by recover`, async (t) => {
    const ground = await open(t);
    if (ground === undefined) return;
    const log = await newLog(ground, 'mine');
    const other = await newLog(ground, 'theirs');
    for (const each of [log, other]) await each.append(0, 5);
    const env = { STELE_STORES_PRIVATE: ground.url('theirs', 'private') };
    const wanted =
      /belong to different logs: .* is [0-9a-f]{32} \(log\.example\/mine\).* is [0-9a-f]{32} \(log\.example\/theirs\); name the right stores, see `stele recover`/;
    await log.isRefused(wanted, env);
    const { status, stderr } = await steleHere(['recover', '-C', log.dir, '--apply'], { env });
    assert.equal(status, 2, stderr);
    assert.match(stderr, /the stores were mixed up: .*there is nothing to mend, name the right stores/);
    await log.goesOn(5);
    await other.goesOn(5);
  });
}

interface LogUnderTest {
  readonly dir: string;
  stele(verb: string, ...args: string[]): Promise<Ran>;
  append(from: number, count: number): Promise<void>;
  /** No verb that writes does anything, and the message is this. */
  isRefused(message: RegExp, env?: Readonly<Record<string, string>>): Promise<void>;
  /** `recover` says so, writes it with `--apply`, and finds nothing more. */
  isMended(finding: string, writes: RegExp, ...args: string[]): Promise<void>;
  /** One more entry is logged, at this index, and every object is what is signed. */
  goesOn(index: number): Promise<void>;
}

async function newLog(ground: Ground, name: string): Promise<LogUnderTest> {
  const dir = join(ground.folder, name);
  const init = ['init', dir, '--origin', `log.example/${name}`];
  init.push('--public-store', ground.url(name, 'public'), '--private-store', ground.url(name, 'private'));
  const ok = async (args: readonly string[], input = ''): Promise<Ran> => {
    const ran = await steleHere(args, { input });
    assert.equal(ran.status, 0, `stele ${args.join(' ')}: ${ran.stderr}${ran.stdout}`);
    return ran;
  };
  await ok(init);
  const append = async (from: number, count: number): Promise<void> => {
    const lines = Array.from({ length: count }, (_, i) => `entry ${from + i}\n`).join('');
    await ok(['add', '-C', dir, '--lines', '-'], lines);
    await ok(['sequence', '-C', dir, '--once']);
  };
  return {
    dir,
    append,
    stele: (verb, ...args) => steleHere(verb === 'init-again' ? init : [verb, '-C', dir, ...args]),
    async isRefused(message, env = {}) {
      for (const verb of [['sequence', '--once'], ['freeze']]) {
        const { status, stderr } = await steleHere([...verb, '-C', dir], { env });
        assert.equal(status, 2, stderr);
        assert.match(stderr, message);
      }
    },
    async isMended(finding, writes, ...args) {
      const found = await steleHere(['recover', '-C', dir, ...args]);
      assert.equal(found.status, 1, found.stderr);
      assert.ok(found.stdout.startsWith(`${finding}: `), found.stdout);
      assert.match(found.stdout, writes);
      await ok(['recover', '-C', dir, '--apply', ...args]);
      assert.match((await ok(['recover', '-C', dir])).stdout, /^healthy: /);
    },
    async goesOn(index) {
      await append(index, 1);
      const { size } = JSON.parse((await ok(['checkpoint', dir, '--json'])).stdout) as { size: number };
      assert.equal(size, index + 1);
      assert.equal((await ok(['get', dir, String(index)])).stdout.trimEnd(), `entry ${index}`);
      assert.match((await ok(['fsck', dir])).stdout, /^ok: /);
    },
  };
}
