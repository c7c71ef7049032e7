/** Whether bytes that nobody checked could pass for an entry that somebody did. */

import { isSteleError } from '../errors.ts';
import { parseJson } from './json.ts';

const decoder = new TextDecoder(); // lenient on purpose: what any reader might read
const encoder = new TextEncoder();

/**
 * What is wrong with `content` as an opaque entry, as the rest of a sentence; undefined when nothing is. Readers differ
 * in letter case, byte order marks and repeated members: whatever one of them might take for one of `kinds` counts.
 */
export function claimedKind(content: Uint8Array, kinds: readonly string[]): string | undefined {
  const text = decoder.decode(content);
  if (!isJson(text)) return undefined;
  try {
    const value = parseJson(encoder.encode(text), 'it');
    if (!(value instanceof Map)) return undefined;
    const claimed = [...value].find(([name, kind]) => name.toLowerCase() === 'kind' && kinds.includes(String(kind)));
    return claimed && `looks like an entry of kind ${claimed[1]}`;
  } catch (error) {
    if (isSteleError(error)) return `is JSON that two readers may read differently: ${error.message}`;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
