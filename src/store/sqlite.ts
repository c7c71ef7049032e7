/**
 * `node:sqlite`, without the warning that it is experimental, which some releases of Node 24 print when it is first
 * loaded. The only thing that passes here unseen is that one warning, and only while the module is being loaded, which
 * happens in one go: nobody else's can be lost.
 */
export function loadSqlite(): typeof import('node:sqlite') {
  const { emitWarning } = process;
  const emitOther: (warning: string | Error, ...rest: never[]) => void = (warning, ...rest) => {
    if (!String(warning).startsWith('SQLite is an experimental feature')) {
      emitWarning.call(process, warning, ...rest);
    }
  };
  process.emitWarning = emitOther;
  try {
    return process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
}
