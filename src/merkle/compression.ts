/** The compression function of SHA-256 (FIPS 180-4 §6.2.2) on four messages at once, as WebAssembly. */

import {
  add,
  type Code,
  get,
  int,
  notEqual,
  repeat,
  set,
  shiftLeft,
  vadd,
  vand,
  vload,
  vloadSplat,
  vshiftLeft,
  vshiftRight,
  vshuffle,
  vstore,
  vxor,
} from './wasm-assembler.ts';

type Four<T> = readonly [T, T, T, T];
type Eight<T> = readonly [T, T, T, T, T, T, T, T];

const BLOCK = 64;
const VECTOR = 16;
const ROUNDS = 64;

/** Size of the message schedule, which needs a place in memory: a vector for each round. */
export const SCHEDULE_SIZE = ROUNDS * VECTOR;
/** Size of the message schedule of one lane: a word for each round. */
export const LANE_SCHEDULE_SIZE = ROUNDS * 4;

/** Numbers of locals: an i32 to count with, the v128 for a to h, and others. */
export interface CompressionLocals {
  readonly counter: number;
  readonly working: Eight<number>;
  readonly temporary: Four<number>;
}

/**
 * The 64 rounds for one block of each lane. A vector holds the same word of all lanes, so it is the formulas of FIPS 180-4
 * as they stand. `hashes` are the addresses of each lane's hash value, eight words, which is replaced by the next one.
 */
export function compress(
  hashes: Four<Code>,
  { schedule, constants }: { readonly schedule: number; readonly constants: number },
  locals: CompressionLocals,
): Code {
  const { working, temporary } = locals;
  const [a, b, c, d, e, f, g, h] = working;
  const halves = [
    { offset: 0, words: [a, b, c, d] },
    { offset: VECTOR, words: [e, f, g, h] },
  ] as const;
  return [
    halves.map(({ offset, words }) =>
      transpose(
        four((lane) => vload(hashes[lane], offset)),
        temporary,
        (word, value) => set(words[word], value),
      ),
    ),
    rounds(schedule, constants, locals),
    halves.map(({ offset, words }) =>
      transpose(
        four((word) => get(words[word])),
        temporary,
        (lane, value) => vstore(hashes[lane], offset, vadd(vload(hashes[lane], offset), value)),
      ),
    ),
  ];
}

/**
 * The message schedule of four blocks, which lie one after the other as words in the machine's byte order: the 16 words of
 * the block, and 48 that each follow from four before them.
 */
export function expand(blocks: number, schedule: number, counter: number, temporary: Four<number>): Code {
  const block = transpose(
    four((lane) => vload(get(counter), blocks + lane * BLOCK)),
    temporary,
    (word, value) => vstore(shiftLeft(get(counter), 2), schedule + word * VECTOR, value),
  );
  const [x] = temporary;
  const word = (number: number): Code => vload(get(counter), schedule + number * VECTOR);
  const sigma0 = [set(x, word(1)), vxor(vxor(rotated(x, 7), rotated(x, 18)), vshiftRight(get(x), 3))];
  const sigma1 = [set(x, word(14)), vxor(vxor(rotated(x, 17), rotated(x, 19)), vshiftRight(get(x), 10))];
  const next = vadd(vadd(word(0), sigma0), vadd(word(9), sigma1));
  return [
    count(counter, BLOCK, VECTOR, block),
    count(counter, (ROUNDS - 16) * VECTOR, VECTOR, vstore(get(counter), schedule + 16 * VECTOR, next)),
  ];
}

/** The message schedule of four blocks from the schedules of each, at these addresses. */
export function joinSchedules(rows: Four<Code>, schedule: number, counter: number, temporary: Four<number>): Code {
  const fourRounds = transpose(
    four((lane) => vload(add(rows[lane], get(counter)), 0)),
    temporary,
    (word, value) => vstore(shiftLeft(get(counter), 2), schedule + word * VECTOR, value),
  );
  return count(counter, LANE_SCHEDULE_SIZE, VECTOR, fourRounds);
}

/** The 64 rounds, eight at a time: after as many, each word is again in the local that it began in. */
function rounds(schedule: number, constants: number, { counter, working, temporary }: CompressionLocals): Code {
  const [t] = temporary;
  let [, , aXorB, bXorC] = temporary;
  let [a, b, c, d, e, f, g, h] = working;
  const first = set(bXorC, vxor(get(b), get(c)));
  const eight: Code[] = [];
  for (let round = 0; round < 8; round++) {
    const constant = vloadSplat(get(counter), constants + 4 * round);
    const word = vload(shiftLeft(get(counter), 2), schedule + VECTOR * round);
    const sum1 = vxor(vxor(rotated(e, 6), rotated(e, 11)), rotated(e, 25));
    const choice = vxor(get(g), vand(get(e), vxor(get(f), get(g))));
    const sum0 = vxor(vxor(rotated(a, 2), rotated(a, 13)), rotated(a, 22));
    // Maj(a, b, c) in terms of a ⊕ b, which is b ⊕ c one round later.
    const majority = vxor(get(b), vand(get(aXorB), get(bXorC)));
    eight.push(
      set(t, vadd(vadd(get(h), vadd(constant, word)), vadd(choice, sum1))),
      set(d, vadd(get(d), get(t))),
      set(aXorB, vxor(get(a), get(b))),
      set(h, vadd(get(t), vadd(sum0, majority))),
    );
    [a, b, c, d, e, f, g, h] = [h, a, b, c, d, e, f, g];
    [aXorB, bXorC] = [bXorC, aXorB];
  }
  return [first, count(counter, 4 * ROUNDS, 4 * 8, eight)];
}

/** The body, with the counter going from 0 up to `end`, exclusive. */
function count(counter: number, end: number, step: number, body: Code): Code {
  const once = [body, set(counter, add(get(counter), int(step)))];
  return [set(counter, int(0)), repeat(once, notEqual(get(counter), int(end)))];
}

function rotated(local: number, bits: number): Code {
  return vxor(vshiftRight(get(local), bits), vshiftLeft(get(local), 32 - bits));
}

/** Four rows of four words become four columns. */
function transpose(rows: Four<Code>, temporary: Four<number>, put: (i: LaneNumber, column: Code) => Code): Code {
  const [low01, low23, high01, high23] = temporary;
  return [
    set(low01, words(rows[0], rows[1], [0, 4, 1, 5])),
    set(low23, words(rows[2], rows[3], [0, 4, 1, 5])),
    set(high01, words(rows[0], rows[1], [2, 6, 3, 7])),
    set(high23, words(rows[2], rows[3], [2, 6, 3, 7])),
    put(0, words(get(low01), get(low23), [0, 1, 4, 5])),
    put(1, words(get(low01), get(low23), [2, 3, 6, 7])),
    put(2, words(get(high01), get(high23), [0, 1, 4, 5])),
    put(3, words(get(high01), get(high23), [2, 3, 6, 7])),
  ];
}

/** Four of the eight words of x and y, by their numbers. */
function words(x: Code, y: Code, numbers: Four<number>): Code {
  return vshuffle(
    x,
    y,
    numbers.flatMap((number) => [4 * number, 4 * number + 1, 4 * number + 2, 4 * number + 3]),
  );
}

type LaneNumber = 0 | 1 | 2 | 3;

function four<T>(each: (i: LaneNumber) => T): Four<T> {
  return [each(0), each(1), each(2), each(3)];
}

/** FIPS 180-4 §4.2.2: the first 32 bits after the point of the cube roots of the first 64 primes. */
export const ROUND_CONSTANTS: readonly number[] = [
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
];

/** §5.3.3: the hash value that a message begins with, likewise of the square roots of the first eight. */
export const INITIAL_HASH: readonly number[] = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];
