/** How numbers are written in stele.yaml, in the environment and in flags. */

import { SteleError } from '../errors.ts';

const MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** `100ms`, `1s`, `10m`, `1h`, `2d`, `0` or `off`, in milliseconds. Throws `config` naming `field`. */
export function parseDuration(field: string, text: string): number {
  if (text === '0' || text === 'off') return 0;
  return scaled(text, MS) ?? fail(field, text, 'a duration with its unit, such as 100ms, 1s, 10m, or 0');
}

/** `1048576`, `64KiB`, `128MiB`, in bytes. Throws `config` naming `field`. */
export function parseByteCount(field: string, text: string): number {
  return (
    scaled(/^\d+$/.test(text) ? `${text}B` : text, BYTES) ??
    fail(field, text, 'a size in bytes, such as 65536 or 128MiB')
  );
}

/** A decimal number without sign, leading zeros or exponent, at most 2^53-1. Throws `config` naming `field`. */
export function parseCount(field: string, text: string): number {
  const count = Number(text);
  if (/^(0|[1-9]\d*)$/.test(text) && Number.isSafeInteger(count)) return count;
  return fail(field, text, 'a whole number from 0 to 2^53-1');
}

function scaled(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})([A-Za-z]+)$/.exec(text) ?? [];
  const scale = Object.hasOwn(units, unit) ? units[unit] : undefined;
  if (digits === undefined || scale === undefined) return undefined;
  const product = Number(digits) * scale;
  return Number.isSafeInteger(product) ? product : undefined;
}

function fail(field: string, text: string, expected: string): never {
  throw new SteleError('config', `${field}: expected ${expected}, got "${text}"`);
}
