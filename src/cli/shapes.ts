/** How values look in `--json`: bytes are standard base64, as in the formats themselves. */

import type { SignedCheckpoint } from '../note/index.ts';

export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function checkpointJson({ origin, size, root, bytes }: SignedCheckpoint) {
  return { origin, size, root: base64(root), checkpoint: new TextDecoder().decode(bytes) };
}
