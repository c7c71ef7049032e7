/**
 * SHA-256 (FIPS 180-4) of many messages, four at a time, as a WebAssembly program of two functions.
 *
 * `run` is given a list of jobs, each a message of a prefix byte and a body that lies anywhere in memory. Four lanes work on
 * a message each. In every turn each lane lays out its next block, padded where its message ends, and one run of the
 * compression function takes all four blocks. A lane that is done takes the next job: so messages of different lengths
 * go together, in any order.
 *
 * `pairs` hashes interior nodes, messages of 65 bytes. Of the second block only one byte is not the same for all, so its
 * message schedule, a third of the work, is looked up.
 */

import {
  compress,
  expand,
  INITIAL_HASH,
  joinSchedules,
  LANE_SCHEDULE_SIZE,
  ROUND_CONSTANTS,
  SCHEDULE_SIZE,
} from './compression.ts';
import { NODE_PREFIX } from './hash.ts';
import {
  add,
  assemble,
  type Code,
  call,
  equal,
  get,
  int,
  isZero,
  less,
  load,
  loadByte,
  notEqual,
  or,
  repeat,
  select,
  set,
  shiftLeft,
  shiftRight,
  store,
  storeByte,
  sub,
  vand,
  vload,
  vor,
  vshuffle,
  vstore,
  when,
} from './wasm-assembler.ts';

/** Jobs, and pairs, that there is room for: a multiple of the lanes. */
export const MAX_JOBS = 4096;
/** Bytes that there is room for, bodies and what lies between them. Memory as a whole is about that of one core's cache. */
export const INPUT_SIZE = 512 * 1024;
/** A job is three i32: where the body is, its length in bytes, and where the hash goes. */
export const JOB_WORDS = 3;

const JOB_SIZE = JOB_WORDS * 4;
const BLOCK = 64;
const VECTOR = 16;
const HASH = 32;
const LANES = 4;

// What a lane knows of its message, each an i32. A lane has no blocks left when it has nothing to do.
const NEXT = 0;
const BYTES_LEFT = 4;
const BLOCKS_LEFT = 8;
const BIT_LENGTH = 12;
const RESULT = 16;
const LANE_SIZE = 20;

// What is where in memory, one after the other.
const CONSTANTS = 0;
const INITIAL = CONSTANTS + ROUND_CONSTANTS.length * 4;
/** Ones for a block and zeros for two: from the byte 64 − n on, what lets through n bytes of a message. */
const KEEP = INITIAL + HASH;
/** Zeros for a block, 0x80, zeros: from the byte 64 − n on, what follows n bytes of a message (FIPS 180-4 §5.1.1). */
const MARK = KEEP + 3 * BLOCK;
const LANE_STATES = MARK + 3 * BLOCK;
const BLOCKS = LANE_STATES + LANES * LANE_SIZE;
const SCHEDULE = BLOCKS + LANES * BLOCK;
/** The result of a lane that has nothing to do. */
const UNUSED = SCHEDULE + SCHEDULE_SIZE;
export const JOBS = UNUSED + HASH;
export const RESULTS = JOBS + MAX_JOBS * JOB_SIZE;
/** The byte before a body is read with it, where the prefix will be, and up to a block after it. */
export const INPUT = RESULTS + MAX_JOBS * HASH + VECTOR;
/** What `tailSchedules` gives is to be put here before the first `pairs`. */
export const TAILS = INPUT + INPUT_SIZE + 2 * BLOCK;
const MEMORY_SIZE = TAILS + 256 * LANE_SCHEDULE_SIZE;

// The places of the functions that `run` and `pairs` share.
const EXPAND = 2;
const COMPRESS = 3;

// The locals of `run`. The parameters are the address where the list of jobs ends, and the prefix.
const [jobsEnd, prefix, job, lane, block, busy, left, next, mask, result] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/**
 * The program in binary format. It exports `memory`, `run(jobsEnd, prefix)`, whose jobs begin at JOBS, and `pairs(end)`,
 * which makes the hashes from RESULTS up to `end`, at least one, of the pairs that begin at INPUT.
 */
export function kernelCode(): Uint8Array<ArrayBuffer> {
  return assemble({
    procedures: [
      { name: 'run', locals: { parameters: 2, integers: 8, vectors: 0 }, body: run() },
      { name: 'pairs', locals: { parameters: 1, integers: 7, vectors: 4 }, body: pairs() },
      { locals: { parameters: 0, integers: 1, vectors: 4 }, body: expand(BLOCKS, SCHEDULE, 0, [1, 2, 3, 4]) },
      { locals: { parameters: 4, integers: 1, vectors: 12 }, body: compressFour() },
    ],
    memoryPages: Math.ceil(MEMORY_SIZE / 65_536),
    data: [
      { address: CONSTANTS, bytes: ROUND_CONSTANTS.flatMap(wordBytes) },
      { address: INITIAL, bytes: INITIAL_HASH.flatMap(wordBytes) },
      { address: KEEP, bytes: Array.from({ length: BLOCK }, () => 0xff) },
      { address: MARK + BLOCK, bytes: [0x80] },
    ],
  });
}

function run(): Code {
  const resultOf = (i: number): Code => load(int(LANE_STATES + i * LANE_SIZE), RESULT);
  const turn = [
    set(busy, int(0)),
    eachLane([
      when(isZero(field(BLOCKS_LEFT)), [
        setField(RESULT, int(UNUSED)),
        when(notEqual(get(job), get(jobsEnd)), takeJob()),
      ]),
      layOutBlock(),
      set(busy, or(get(busy), field(BLOCKS_LEFT))),
    ]),
    when(get(busy), [
      call(EXPAND),
      call(COMPRESS, resultOf(0), resultOf(1), resultOf(2), resultOf(3)),
      eachLane(when(field(BLOCKS_LEFT), finishBlock())),
    ]),
  ];
  return [set(job, int(JOBS)), repeat(turn, get(busy))];
}

function pairs(): Code {
  const [end, first, before, counter, ...rows] = [0, 1, 2, 3, 4, 5, 6, 7] as const;
  const lanes = [0, 1, 2, 3] as const;
  const hashOf = (i: number): Code => add(get(first), int(i * HASH));
  const compressed = call(COMPRESS, hashOf(0), hashOf(1), hashOf(2), hashOf(3));
  const firstBlock = lanes.map((i) => [
    // From the byte before the pair on, which becomes the prefix. The first byte of a word comes last in memory.
    [0, 1, 2, 3].map((quarter) => {
      const bytes = vload(get(before), i * BLOCK + quarter * VECTOR);
      return vstore(int(BLOCKS + i * BLOCK), quarter * VECTOR, swapped(bytes));
    }),
    storeByte(int(BLOCKS + i * BLOCK), 3, int(NODE_PREFIX)),
    vstore(get(first), i * HASH, vload(int(INITIAL), 0)),
    vstore(get(first), i * HASH + VECTOR, vload(int(INITIAL), VECTOR)),
  ]);
  const tail = lanes.map((i) => {
    const lastByte = loadByte(get(before), (i + 1) * BLOCK);
    return set(rows[i], add(shiftLeft(lastByte, Math.log2(LANE_SCHEDULE_SIZE)), int(TAILS)));
  });
  const rowOf = (i: 0 | 1 | 2 | 3): Code => get(rows[i]);
  const four = [
    firstBlock,
    call(EXPAND),
    compressed,
    tail,
    joinSchedules([rowOf(0), rowOf(1), rowOf(2), rowOf(3)], SCHEDULE, counter, [8, 9, 10, 11]),
    compressed,
    Array.from({ length: (LANES * HASH) / VECTOR }, (_, i) => {
      return vstore(get(first), i * VECTOR, swapped(vload(get(first), i * VECTOR)));
    }),
    set(first, add(get(first), int(LANES * HASH))),
    set(before, add(get(before), int(LANES * BLOCK))),
  ];
  return [set(first, int(RESULTS)), set(before, int(INPUT - 1)), repeat(four, less(get(first), get(end)))];
}

/** Given the addresses of the lanes' hash values, and the message schedule of their blocks. */
function compressFour(): Code {
  const locals = { counter: 4, working: [5, 6, 7, 8, 9, 10, 11, 12], temporary: [13, 14, 15, 16] } as const;
  return compress([get(0), get(1), get(2), get(3)], { schedule: SCHEDULE, constants: CONSTANTS }, locals);
}

/** The body with `lane` at the state of each lane in turn, and `block` at its block. */
function eachLane(body: Code): Code {
  const once = [body, set(lane, add(get(lane), int(LANE_SIZE))), set(block, add(get(block), int(BLOCK)))];
  return [
    set(lane, int(LANE_STATES)),
    set(block, int(BLOCKS)),
    repeat(once, notEqual(get(block), int(BLOCKS + LANES * BLOCK))),
  ];
}

/** The lane begins another message. Its blocks have room for the byte 0x80 and eight bytes of length, too. */
function takeJob(): Code {
  const length = add(load(get(job), 4), int(1));
  return [
    set(left, length),
    setField(NEXT, sub(load(get(job), 0), int(1))),
    setField(BYTES_LEFT, get(left)),
    setField(BLOCKS_LEFT, shiftRight(add(get(left), int(1 + 8 + BLOCK - 1)), 6)),
    setField(BIT_LENGTH, shiftLeft(get(left), 3)),
    set(result, load(get(job), 8)),
    setField(RESULT, get(result)),
    vstore(get(result), 0, vload(int(INITIAL), 0)),
    vstore(get(result), VECTOR, vload(int(INITIAL), VECTOR)),
    set(job, add(get(job), int(JOB_SIZE))),
  ];
}

/**
 * The lane's next block, as words: bytes of the message, the byte 0x80 behind the last of them, zeros, and at the end of
 * the last block the length. That has 64 bits, of which the first 32 are 0: no message here is so long.
 */
function layOutBlock(): Code {
  const quarters = [0, VECTOR, 2 * VECTOR, 3 * VECTOR].map((i) => {
    const bytes = vor(vand(vload(get(next), i), vload(get(mask), KEEP + i)), vload(get(mask), MARK + i));
    return vstore(get(block), i, swapped(bytes));
  });
  return [
    set(left, field(BYTES_LEFT)),
    set(next, field(NEXT)),
    set(mask, sub(int(BLOCK), select(less(get(left), int(BLOCK)), get(left), int(BLOCK)))),
    quarters,
    // The first byte of a word comes last in memory.
    when(equal(shiftLeft(get(left), 3), field(BIT_LENGTH)), storeByte(get(block), 3, get(prefix))),
    when(equal(field(BLOCKS_LEFT), int(1)), store(get(block), BLOCK - 4, field(BIT_LENGTH))),
  ];
}

/** The lane goes on to its next block. Behind the last, the hash value becomes a hash: bytes in order. */
function finishBlock(): Code {
  return [
    setField(NEXT, add(field(NEXT), int(BLOCK))),
    setField(BYTES_LEFT, sub(field(BYTES_LEFT), int(BLOCK))),
    setField(BLOCKS_LEFT, sub(field(BLOCKS_LEFT), int(1))),
    when(isZero(field(BLOCKS_LEFT)), [
      set(result, field(RESULT)),
      [0, VECTOR].map((i) => vstore(get(result), i, swapped(vload(get(result), i)))),
    ]),
  ];
}

function field(offset: number): Code {
  return load(get(lane), offset);
}

function setField(offset: number, value: Code): Code {
  return store(get(lane), offset, value);
}

/** Each of four words with its bytes in the opposite order. */
function swapped(x: Code): Code {
  return vshuffle(x, x, [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12]);
}

/** The four bytes of a word, lowest first, as WebAssembly keeps them. */
function wordBytes(word: number): number[] {
  return [0, 8, 16, 24].map((bits) => Math.floor(word / 2 ** bits) % 256);
}
