/** Figures: how the benchmarks sum up what they measured, and print it. */

/** One run's figures by name; numbers keep their unit in the name (`p50Ms`, `entriesPerSecond`, `bytesWritten`). */
export type Figures = Readonly<Record<string, number | string | boolean>>;

/** The nearest-rank percentile of `values`, 0 < p ≤ 100. */
export function percentile(values: readonly number[], p: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 50);

/** The time a call takes, in milliseconds, beside what it returned. */
export async function timed<T>(call: () => T | Promise<T>): Promise<{ ms: number; value: T }> {
  const start = performance.now();
  const value = await call();
  return { ms: performance.now() - start, value };
}

/** Prints a run: one aligned line per figure, or with `json` one object on one line. */
export function printFigures(title: string, figures: Figures, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    return;
  }
  const names = Object.keys(figures);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${readable(figures[name])}`);
  process.stdout.write(`${title}\n${lines.join('\n')}\n`);
}

/** Three digits after the point below 100, else whole numbers with thousands separated. */
export function readable(value: Figures[string] | undefined): string {
  if (typeof value !== 'number') {
    return String(value);
  }
  const digits = Number.isInteger(value) || Math.abs(value) >= 100 ? 0 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
