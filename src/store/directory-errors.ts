import { SteleError } from '../errors.ts';
import { UnreachableError } from './errors.ts';

/** The system's name for what went wrong: `ENOSPC`; undefined for errors that are not the system's. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A system call failed and what it was for did not happen. Other errors (bugs) are handed back as they are. */
export function unreachable(doing: string, path: string, error: unknown): unknown {
  return errnoOf(error) === undefined || error instanceof SteleError
    ? error
    : new UnreachableError(`cannot ${doing} ${path}: ${reason(error)}`, { cause: error });
}

/** A call failed, or cannot be vouched for, and what it was for may have happened all the same. */
export function outcomeUnknown(doing: string, path: string, error: unknown): unknown {
  return errnoOf(error) === undefined && !(error instanceof UnreachableError)
    ? error
    : new SteleError(
        'outcome-unknown',
        `could not ${doing} ${path} for certain: ${reason(error)}; a power cut may undo it, or not`,
        { cause: error },
      );
}

/** Errors with which `link`, `rename` and `unlink` say that they changed nothing. Anything else (EIO) does not say. */
const NOTHING_CHANGED = new Set(
  'EACCES EBUSY EDQUOT EEXIST EISDIR ELOOP EMFILE EMLINK ENAMETOOLONG ENFILE ENOENT ENOMEM ENOSPC ENOTDIR ENOTEMPTY EPERM EROFS EXDEV'.split(
    ' ',
  ),
);

export function changedNothing(error: unknown): boolean {
  return NOTHING_CHANGED.has(errnoOf(error) ?? '');
}

/** Node's messages read `ENOSPC: no space left on device, write '/long/path'`; the path is said before. */
function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/ '.*$/s, '');
}

export function noObject(what: string, path: string): SteleError {
  return new SteleError(
    'corrupt',
    `${path} is ${what}, not an object of the store; it was not followed: move it away (objects are regular files)`,
  );
}
