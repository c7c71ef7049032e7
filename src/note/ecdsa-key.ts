/**
 * ECDSA keys in DER (SubjectPublicKeyInfo, RFC 5480), in the one encoding that both platforms accept: a named curve and
 * the uncompressed point. OpenSSL also takes compressed and hybrid points and bytes behind the key, which would give one
 * key several ids and let Node trust what a browser refuses.
 */

export interface EcdsaKey {
  readonly curve: 'P-256' | 'P-384' | 'P-521';
  /** 04 ‖ x ‖ y; whether it lies on the curve is not checked here. */
  readonly point: Uint8Array;
}

/** All that stands before the point: id-ecPublicKey, the curve, and the head of the bit string. */
const HEADS = [
  { curve: 'P-256', head: '3059301306072a8648ce3d020106082a8648ce3d030107034200', pointBytes: 65 },
  { curve: 'P-384', head: '3076301006072a8648ce3d020106052b81040022036200', pointBytes: 97 },
  { curve: 'P-521', head: '30819b301006072a8648ce3d020106052b8104002303818600', pointBytes: 133 },
] as const;
const UNCOMPRESSED = 0x04;

/** The key in a DER SubjectPublicKeyInfo, or undefined when it is no such key in that encoding. */
export function parseEcdsaKey(spki: Uint8Array): EcdsaKey | undefined {
  const found = HEADS.find(({ head, pointBytes }) => {
    const length = head.length / 2;
    return spki.length === length + pointBytes && toHex(spki.subarray(0, length)) === head;
  });
  if (found === undefined) return undefined;
  const point = spki.slice(-found.pointBytes);
  return point[0] === UNCOMPRESSED ? { curve: found.curve, point } : undefined;
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
