/** Writes DER, for keys and certificates that no tool would make. */

export function der(tag: number, ...contents: Uint8Array[]): Uint8Array {
  const content = Buffer.concat(contents);
  const digits: number[] = [];
  for (let rest = content.length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  const length = content.length < 128 ? [content.length] : [0x80 + digits.length, ...digits];
  return Uint8Array.from([tag, ...length, ...content]);
}

export const sequence = (...parts: Uint8Array[]): Uint8Array => der(0x30, ...parts);
export const explicit = (n: number, ...parts: Uint8Array[]): Uint8Array => der(0xa0 + n, ...parts);
export const text = (tag: number, value: string): Uint8Array => der(tag, Buffer.from(value));
export const hex = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value, 'hex'));

/** An OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const digits = [first * 40 + second, ...rest].flatMap((arc) => {
    const low = [arc % 128];
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) low.unshift(128 + (high % 128));
    return low;
  });
  return der(0x06, Uint8Array.from(digits));
}

/** A non-negative INTEGER. */
export function integer(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const bytes = hex(digits.length % 2 === 0 ? digits : `0${digits}`);
  return der(0x02, (bytes[0] ?? 0) < 128 ? bytes : Uint8Array.from([0, ...bytes]));
}
