/** How a long-running verb is told to stop: SIGTERM or SIGINT once, gracefully; a second one, at once. */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface StopSignal extends Disposable {
  /** Aborted by the first signal; the second one ends the process as if nobody had listened. */
  readonly signal: AbortSignal;
  /** Resolves with the first signal. */
  readonly stopped: Promise<void>;
}

/** Listens for signals until it is disposed of. */
export function listenForStop(): StopSignal {
  const controller = new AbortController();
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  const forget = (): void => {
    for (const name of SIGNALS) process.off(name, onSignal);
  };
  const onSignal = (name: NodeJS.Signals): void => {
    if (!controller.signal.aborted) {
      controller.abort();
      resolve();
      return;
    }
    forget();
    process.kill(process.pid, name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return { signal: controller.signal, stopped, [Symbol.dispose]: forget };
}
