import type { Finding, Verdict } from '../../client/index.ts';
import { LOG, VKEY } from '../arguments.ts';
import { isUrl, loadConfig } from '../config.ts';
import { examineConfigured, examineUrl } from '../doctor.ts';
import { askByFetch } from '../doctor-fetch.ts';
import { AGAIN, type ExitStatus, NO, YES } from '../exit-codes.ts';
import { openConfiguredLog, openLog } from '../reading.ts';
import { defineVerb } from '../verb.ts';

/** Columns of the verdict. */
const VERDICT_WIDTH = 10;

export default defineVerb({
  positionals: { log: LOG },
  options: {
    vkey: VKEY,
    'read-only': {
      describe: 'do not try conditional writes in buckets, which writes and deletes objects of its own',
      type: 'boolean',
      default: false,
    },
  },
  examples: [
    ['doctor my-log', 'this machine, both stores, and how the log is served at the url of stele.yaml'],
    ['doctor https://log.example/ --vkey log.example+8c2d…', 'how a public log is served, as anybody can see it'],
    ['doctor my-log --json', 'all findings for a program; exit status 1 where there is a problem'],
  ],
  async run({ log, vkey, 'read-only': readOnly }, { output, environment }) {
    const examination = { environment, readOnly, ask: askByFetch };
    const findings: Finding[] = [];
    for await (const finding of examine()) {
      findings.push(finding);
      if (!output.json) output.result(describe(finding), null);
    }
    const counts = countVerdicts(findings);
    const status = statusOf(counts);
    const { ok, warning, problem, unchecked } = counts;
    output.result(output.json ? '' : `${problem} problems, ${warning} warnings, ${unchecked} not checked, ${ok} ok\n`, {
      ok: status === YES,
      counts,
      findings,
    });
    return status;

    async function* examine(): AsyncGenerator<Finding> {
      if (isUrl(log)) {
        yield* examineUrl(log, await openLog(log, vkey, environment), examination);
        return;
      }
      const config = await loadConfig(log, environment);
      yield* examineConfigured(config, await openConfiguredLog(config, vkey, environment), examination);
    }
  },
});

function countVerdicts(findings: readonly Finding[]): Record<Verdict, number> {
  const counts: Record<Verdict, number> = { ok: 0, warning: 0, problem: 0, unchecked: 0 };
  for (const { verdict } of findings) counts[verdict] += 1;
  return counts;
}

/** A problem is an answer; what could not be looked at may be well or not. */
function statusOf({ problem, unchecked }: Record<Verdict, number>): ExitStatus {
  if (problem > 0) return NO;
  return unchecked > 0 ? AGAIN : YES;
}

/** What was seen is often what a stranger's server said: no terminal should take it for commands. */
function describe({ check, verdict, seen, remedy }: Finding): string {
  const lines = [`${verdict.padEnd(VERDICT_WIDTH)}${check}: ${seen.replace(/\p{Cc}/gu, '?')}`];
  if (remedy !== undefined) lines.push(`${''.padEnd(VERDICT_WIDTH)}→ ${remedy}`);
  return `${lines.join('\n')}\n`;
}
