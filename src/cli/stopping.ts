/** How a long-running verb is told to stop: SIGTERM or SIGINT once, gracefully; a second one, at once. */

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Aborted by the first signal; the second one ends the process as if nobody had listened. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      if (!controller.signal.aborted) {
        controller.abort();
        return;
      }
      for (const each of SIGNALS) process.removeAllListeners(each);
      process.kill(process.pid, signal);
    });
  }
  return controller.signal;
}

/** Resolves when the process is told to stop. */
export function untilStopped(): Promise<void> {
  const signal = stopSignal();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
