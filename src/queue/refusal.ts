import { SteleError } from '../errors.ts';

/** The one reason of a refusal that programs act on; all others are for people. */
export const FROZEN_REASON = 'the log is frozen';

/** A refusal as an error: `frozen`, or `limit` for an entry that no log would take. */
export function refusalError(reason: string): SteleError {
  return new SteleError(reason === FROZEN_REASON ? 'frozen' : 'limit', reason);
}
