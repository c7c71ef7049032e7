/**
 * cli: the `stele` command. One file per verb in verbs/, one table of them, configuration from stele.yaml, the
 * environment and flags, and exit statuses that a script can rely on: 0 yes, 1 the answer is no, 2 usage or
 * configuration, 3 try again.
 */

import { readFileSync } from 'node:fs';
import yargs, { type Argv } from 'yargs';
import { isSteleError, SteleError } from '../errors.ts';
import type { Environment } from './config.ts';
import { EXIT_STATUS, type ExitStatus, USAGE, YES } from './exit-codes.ts';
import { openOutput, type Streams } from './output.ts';
import type { Context, Verb } from './verb.ts';
import { VERBS } from './verb-table.ts';

/** Columns of help where the terminal does not say. */
const WIDTH = 100;

/** Before an argument that is no option though it looks like one, while yargs parses; no argument can contain it. */
const PLAIN = '\0';

/** What a process gives to its command. */
export interface Surroundings extends Streams {
  readonly stdin: NodeJS.ReadableStream;
  readonly env: Environment;
}

/** Runs one command line, without the program's name, and resolves with the exit status of the process. */
export async function main(args: readonly string[], surroundings: Surroundings = process): Promise<ExitStatus> {
  const { stdin, env: environment } = surroundings;
  const marked = markPlain(args);
  const output = openOutput(marked.includes('--json') || marked.includes('--json=true'), surroundings);
  const context: Context = { output, environment, stdin };
  try {
    const status = await runCommandLine(marked, context);
    await output.flush();
    return status;
  } catch (error) {
    output.failure(error);
    return isSteleError(error) ? EXIT_STATUS[error.code] : USAGE;
  }
}

async function runCommandLine(args: readonly string[], context: Context): Promise<ExitStatus> {
  let status: ExitStatus = YES;
  const verbs = await loadNamed(args);
  const parser = globalOptions(yargs(args), args);
  for (const [name, { line, describe }] of Object.entries(VERBS)) {
    const verb = verbs.get(name);
    parser.command({
      command: line,
      describe,
      builder: (sub: Argv) => {
        verb?.declare(sub);
        return sub;
      },
      handler: async (parsed) => {
        status = (await verb?.run(withoutMarks(parsed), context)) ?? status;
      },
    });
  }
  await parser.parseAsync();
  return status;
}

/** `-` is standard input, and all that follows `--` are positionals: yargs loses the one and the other. */
function markPlain(args: readonly string[]): string[] {
  // A `--` at the end is what completion asks to complete.
  const end = args.slice(0, -1).includes('--') ? args.indexOf('--') : args.length;
  const options = args.slice(0, end).map((arg) => (arg === '-' ? `${PLAIN}-` : arg));
  return [...options, ...args.slice(end + 1).map((arg) => (arg.startsWith('-') ? `${PLAIN}${arg}` : arg))];
}

function withoutMarks(parsed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const restore = (value: unknown): unknown =>
    typeof value === 'string' ? value.replace(PLAIN, '') : Array.isArray(value) ? value.map(restore) : value;
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, restore(value)]));
}

/** The code of the verbs whose names occur among the arguments; one at most is run, the others cost a moment. */
async function loadNamed(args: readonly string[]): Promise<Map<string, Verb>> {
  const named = Object.entries(VERBS).filter(([name]) => args.includes(name));
  return new Map(await Promise.all(named.map(async ([name, { load }]) => [name, (await load()).default] as const)));
}

function globalOptions(parser: Argv, args: readonly string[]): Argv {
  return parser
    .scriptName('stele')
    .usage('$0 <verb>\n\nA transparency log in static files.')
    .parserConfiguration({
      // Arguments are texts until a verb reads them: `1e3` is no index.
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'boolean-negation': false,
    })
    .option('json', { type: 'boolean', default: false, describe: 'print results and errors as JSON' })
    .completion('completion', 'print a script that completes stele in bash or zsh')
    .demandCommand(1, 'which verb?')
    .strict()
    .version(packageVersion())
    .help()
    .alias('h', 'help')
    .locale('en')
    .wrap(Math.min(WIDTH, process.stdout.columns ?? WIDTH))
    .example('$0 init my-log --origin log.example/demo', 'make a log')
    .example('$0 add -C my-log --lines names.txt', 'submit every line of a file')
    .example('$0 sequence -C my-log --once', 'append and publish them')
    .epilogue('Exit status: 0 yes, 1 the answer is no, 2 usage or configuration, 3 try again.')
    .exitProcess(false)
    .fail((message, error) => {
      if (!message) throw error; // a verb's own failure
      throw new SteleError('config', `${message.replaceAll(PLAIN, '').replace(/\s+/g, ' ')}; ${usageHint(args)}`);
    });
}

function usageHint(args: readonly string[]): string {
  const name = args.find((arg) => Object.hasOwn(VERBS, arg));
  const line = name === undefined ? undefined : VERBS[name]?.line;
  return line === undefined ? 'see `stele --help`' : `usage: stele ${line}; see \`stele ${name} --help\``;
}

function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return version;
}
