/**
 * The few instructions of WebAssembly that the hash kernel is written in, as functions that make code of code.
 *
 * A value is the code that leaves it on the stack: `add(x, y)` is the code of x, then that of y, then `i32.add`. So a
 * program reads as formulas. The binary format is that of the WebAssembly core specification 2.0, §5.
 */

/** Instructions in their binary format, nested as they were put together. */
export type Code = readonly (number | Code)[];

/** LEB128 of an unsigned integer. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [0x80 + (value % 0x80), unsigned(Math.floor(value / 0x80))];
}

/** LEB128 where a signed integer is expected, of one that is not negative: so bit 6 of the last byte is clear. */
function signed(value: number): Code {
  return value < 0x40 ? [value] : [0x80 + (value % 0x80), signed(Math.floor(value / 0x80))];
}

// Locals and control. A condition is any i32, true unless it is 0.
export const get = (local: number): Code => [0x20, unsigned(local)];
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)];
export const select = (condition: Code, yes: Code, no: Code): Code => [yes, no, condition, 0x1b];
export const when = (condition: Code, ...body: Code): Code => [condition, 0x04, 0x40, body, 0x0b];
/** Calls a function by its place in the program. */
export const call = (place: number, ...args: Code): Code => [args, 0x10, unsigned(place)];
/** The body, and again as long as the condition holds after it. */
export const repeat = (body: Code, condition: Code): Code => [0x03, 0x40, body, condition, 0x0d, 0, 0x0b];

// i32. An address is any i32; the constant offset is added to it.
export const int = (value: number): Code => [0x41, signed(value)];
export const load = (address: Code, offset: number): Code => [address, 0x28, 2, unsigned(offset)];
export const loadByte = (address: Code, offset: number): Code => [address, 0x2d, 0, unsigned(offset)];
export const store = (address: Code, offset: number, x: Code): Code => [address, x, 0x36, 2, unsigned(offset)];
export const storeByte = (address: Code, offset: number, x: Code): Code => [address, x, 0x3a, 0, unsigned(offset)];
export const isZero = (x: Code): Code => [x, 0x45];
export const equal = (x: Code, y: Code): Code => [x, y, 0x46];
export const notEqual = (x: Code, y: Code): Code => [x, y, 0x47];
/** Of signed integers. */
export const less = (x: Code, y: Code): Code => [x, y, 0x48];
export const add = (x: Code, y: Code): Code => [x, y, 0x6a];
export const sub = (x: Code, y: Code): Code => [x, y, 0x6b];
export const or = (x: Code, y: Code): Code => [x, y, 0x72];
export const shiftLeft = (x: Code, bits: number): Code => [x, int(bits), 0x74];
export const shiftRight = (x: Code, bits: number): Code => [x, int(bits), 0x76];

// v128, taken as four i32, or as sixteen bytes. Loads and stores need not be aligned.
const simd = (opcode: number): Code => [0xfd, unsigned(opcode)];
export const vload = (address: Code, offset: number): Code => [address, simd(0), 0, unsigned(offset)];
/** One i32 from memory, four times. */
export const vloadSplat = (address: Code, offset: number): Code => [address, simd(9), 2, unsigned(offset)];
export const vstore = (address: Code, offset: number, x: Code): Code => [address, x, simd(11), 0, unsigned(offset)];
/** Sixteen of the 32 bytes of x and y, by their numbers. */
export const vshuffle = (x: Code, y: Code, bytes: readonly number[]): Code => [x, y, simd(13), bytes];
export const vand = (x: Code, y: Code): Code => [x, y, simd(78)];
export const vor = (x: Code, y: Code): Code => [x, y, simd(80)];
export const vxor = (x: Code, y: Code): Code => [x, y, simd(81)];
export const vshiftLeft = (x: Code, bits: number): Code => [x, int(bits), simd(171)];
export const vshiftRight = (x: Code, bits: number): Code => [x, int(bits), simd(173)];
export const vadd = (x: Code, y: Code): Code => [x, y, simd(174)];

/** A function without a result. Exported under its name, if it has one. */
export interface Procedure {
  readonly name?: string;
  /** Locals are numbered in this order: the parameters, which are i32, then more i32, then v128. */
  readonly locals: { readonly parameters: number; readonly integers: number; readonly vectors: number };
  readonly body: Code;
}

/** A module of functions, with one memory of fixed size, which is exported as `memory`. */
export interface Program {
  readonly procedures: readonly Procedure[];
  /** Pages of 64 KiB. */
  readonly memoryPages: number;
  /** What is in memory at first; all else is 0. */
  readonly data: readonly { readonly address: number; readonly bytes: readonly number[] }[];
}

/** The module in binary format. */
export function assemble({ procedures, memoryPages, data }: Program): Uint8Array<ArrayBuffer> {
  const [i32, v128, memory, func, end] = [0x7f, 0x7b, 2, 0, 0x0b];
  const types = procedures.map(({ locals }) => [0x60, list(repeated(i32, locals.parameters)), list([])]);
  const exported = procedures.flatMap(({ name: text }, place) => {
    return text === undefined ? [] : [[name(text), func, unsigned(place)]];
  });
  const bodies = procedures.map(({ locals, body }) => {
    const declared = list([
      [unsigned(locals.integers), i32],
      [unsigned(locals.vectors), v128],
    ]);
    return sized([declared, body, end]);
  });
  return Uint8Array.from(
    flat([
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, types),
      section(
        3,
        procedures.map((_, place) => unsigned(place)),
      ),
      section(5, [[1, unsigned(memoryPages), unsigned(memoryPages)]]),
      section(7, [...exported, [name('memory'), memory, 0]]),
      section(10, bodies),
      section(
        11,
        data.map(({ address, bytes }) => [0, int(address), end, list(bytes)]),
      ),
    ]),
  );
}

function repeated(item: number, count: number): number[] {
  return Array.from({ length: count }, () => item);
}

function section(id: number, items: Code): Code {
  return [id, sized(list(items))];
}

function list(items: Code): Code {
  return [unsigned(items.length), items];
}

function sized(code: Code): Code {
  return list(flat(code));
}

function name(text: string): Code {
  return list([...new TextEncoder().encode(text)]);
}

function flat(code: Code): number[] {
  const bytes: number[] = [];
  const visit = (part: Code): void => {
    for (const item of part) {
      if (typeof item === 'number') bytes.push(item);
      else visit(item);
    }
  };
  visit(code);
  return bytes;
}
