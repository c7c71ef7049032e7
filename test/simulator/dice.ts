/** Chance from a seed and nothing else: sfc32, a small generator of 32-bit numbers with 128 bits of state. */

export interface Dice {
  /** 0 to 1, 1 excluded. */
  real(): number;
  /** A whole number from 0 to n − 1. */
  below(n: number): number;
  chance(probability: number): boolean;
  oneOf<T>(first: T, ...others: T[]): T;
  bytes(length: number): Uint8Array;
}

export function diceOf(seed: number): Dice {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const word = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i++) word(); // until neighbouring seeds have nothing in common
  const real = (): number => word() / 2 ** 32;
  const below = (n: number): number => Math.floor(real() * n);
  return {
    real,
    below,
    chance: (probability) => probability > 0 && real() < probability,
    oneOf: (first, ...others) => [first, ...others][below(1 + others.length)] ?? first,
    bytes: (length) => Uint8Array.from({ length }, () => word() & 255),
  };
}
