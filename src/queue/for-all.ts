import type PQueue from 'p-queue';

/**
 * Does `work` for each value, within the queue's bound; the results in order. When some fail, throws the first failure
 * once all of them have ended.
 */
export async function forAll<T, R>(queue: PQueue, values: readonly T[], work: (value: T) => Promise<R>): Promise<R[]> {
  const results = await Promise.allSettled(values.map((value) => queue.add(() => work(value))));
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
