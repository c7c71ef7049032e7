/** Outside Node there is no second parser to ask; what a log serves was read by one when it was logged. */

export function isReadableCertificate(_der: Uint8Array, _spki: Uint8Array): boolean {
  return true;
}
