/** Reading ahead: many reads under way, their answers in order. */

/** Yields `read(n)` for each n in [first, end), in order, with up to `ahead` of them under way. */
export async function* inOrder<T>(
  first: number,
  end: number,
  ahead: number,
  read: (n: number) => Promise<T>,
): AsyncGenerator<T, void> {
  const underWay: Promise<T>[] = [];
  let next = first;
  for (;;) {
    for (; next < end && underWay.length < ahead; next++) {
      const answer = read(next);
      answer.catch(() => {}); // thrown when its turn comes, which may be never
      underWay.push(answer);
    }
    const oldest = underWay.shift();
    if (oldest === undefined) return;
    yield await oldest;
  }
}
