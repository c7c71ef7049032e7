/** Folders that do not outlive the run of a workflow are no place for a log. */

import { SteleError } from '../errors.ts';
import { type Environment, type LogConfig, storeUrl } from './config.ts';

/** What GitHub sets to `true` in every step of a workflow, hosted or not. Other `CI` variables are set by too many. */
const WORKFLOW_VARIABLE = 'GITHUB_ACTIONS';

export interface EphemeralOptions {
  readonly environment: Environment;
  /** The folder outlives the run, or the log is thrown away with it. */
  readonly allowEphemeral: boolean;
}

/**
 * Throws `config` where a log in folders is about to be written inside a workflow: two runs that start from the same copy
 * (a checkout, a cache) would each sign a history of their own, and no lock spans both. What is submitted to a folder
 * there is lost with it; `stores` names the ones that will be written.
 */
export function refuseEphemeral(
  config: Pick<LogConfig, 'dir' | 'stores'>,
  { environment, allowEphemeral }: EphemeralOptions,
  stores: readonly ('private' | 'public')[] = ['private', 'public'],
): void {
  if (allowEphemeral || environment[WORKFLOW_VARIABLE] !== 'true') return;
  const which = stores.find((each) => storeUrl(config, each).startsWith('file:'));
  if (which === undefined) return;
  throw new SteleError(
    'config',
    `stores.${which} is ${storeUrl(config, which)}, and this is a workflow run (${WORKFLOW_VARIABLE}=true), whose folders are copies: two runs would sign two histories of this log. Keep both stores in a bucket, or insist with --allow-ephemeral where the folder outlives the run or the log does not`,
  );
}
