/** What a verb of the command is: its arguments as data, and one function. Each file in verbs/ defines one. */

import type { Argv, InferredOptionTypes, Options, PositionalOptions } from 'yargs';
import { SteleError } from '../errors.ts';
import type { Environment } from './config.ts';
import type { ExitStatus } from './exit-codes.ts';
import type { Output } from './output.ts';

/** What the surroundings give to a verb. */
export interface Context {
  readonly output: Output;
  readonly environment: Environment;
  readonly stdin: NodeJS.ReadableStream;
}

export interface Verb {
  /** Declares arguments and examples to the parser. */
  declare(parser: Argv): void;
  /** Runs with arguments as `declare` had them parsed. */
  run(args: Readonly<Record<string, unknown>>, context: Context): Promise<ExitStatus>;
}

type Declared<O extends Record<string, Options>> = Readonly<InferredOptionTypes<O>>;

export interface VerbDefinition<P extends Record<string, PositionalOptions>, O extends Record<string, Options>> {
  readonly positionals: P;
  readonly options: O;
  /** Command lines without the leading `stele`, each with what it does; two at least. */
  readonly examples: readonly (readonly [command: string, meaning: string])[];
  run(args: Declared<P & O>, context: Context): Promise<ExitStatus>;
}

export function defineVerb<const P extends Record<string, PositionalOptions>, const O extends Record<string, Options>>(
  definition: VerbDefinition<P, O>,
): Verb {
  return {
    declare(parser) {
      for (const [name, positional] of Object.entries(definition.positionals)) parser.positional(name, positional);
      parser.options(definition.options);
      parser.example(definition.examples.map(([command, meaning]): [string, string] => [`$0 ${command}`, meaning]));
    },
    async run(args, context) {
      const declared: Record<string, Options | PositionalOptions> = {
        ...definition.positionals,
        ...definition.options,
      };
      for (const [name, value] of Object.entries(args)) {
        if (Array.isArray(value) && declared[name] !== undefined && declared[name].array !== true) {
          throw new SteleError('config', `--${name} is given ${value.length} times: once is clear`);
        }
        if (declared[name] !== undefined && [value].flat().includes('')) {
          throw new SteleError(
            'config',
            `${name in definition.options ? '--' : ''}${name} is empty: an unset variable?`,
          );
        }
      }
      // Whatever else does not fit the declaration the parser has refused.
      return definition.run(args as Declared<P & O>, context);
    },
  };
}
