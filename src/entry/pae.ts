/** The pre-authentication encoding of DSSE v1: what the signatures of an envelope are over. */

const encoder = new TextEncoder();

/** `DSSEv1 <bytes of type> <type> <bytes of payload> <payload>`, lengths in decimal. */
export function preAuthenticationEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encoder.encode(payloadType);
  const head = encoder.encode(`DSSEv1 ${type.length} ${payloadType} ${payload.length} `);
  const encoded = new Uint8Array(head.length + payload.length);
  encoded.set(head);
  encoded.set(payload, head.length);
  return encoded;
}
