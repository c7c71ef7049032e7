/**
 * hashedrekord 0.0.2: a signature over an artifact of which only the digest is known. What most of sigstore logs, DSSE
 * envelopes as well: the artifact is then the envelope's pre-authentication encoding.
 */

import { toBase64 } from '../note/index.ts';
import { HASHES } from './algorithms.ts';
import { canonicalBody } from './canonical.ts';
import type { EntryKind, Prepared } from './kind.ts';
import { readLoggedDigest, readLoggedSignature } from './logged-fields.ts';
import { uniqueKeys } from './lookup.ts';
import { type Field, readMessage, readSomeBytes, refuse, required } from './protojson.ts';
import { wrongSignature } from './signature.ts';
import { readVerifier } from './verifier.ts';

export const hashedrekord: EntryKind = {
  kind: 'hashedrekord',
  apiVersion: '0.0.2',
  field: 'hashedRekordRequestV002',
  read: readHashedRekord,
  readLogged(spec) {
    const record = required(spec, readMessage(spec, ['hashedRekordV002']), 'hashedRekordV002');
    const fields = readMessage(record, ['data', 'signature']);
    const digest = readLoggedDigest(required(record, fields, 'data'));
    const signature = readLoggedSignature(required(record, fields, 'signature'));
    return { digest, signatures: [signature], signsDigest: true };
  },
};

function readHashedRekord(request: Field): Prepared {
  const fields = readMessage(request, ['digest', 'signature']);
  const signatureField = required(request, fields, 'signature');
  const signatureFields = readMessage(signatureField, ['content', 'verifier']);
  const signature = readSomeBytes(signatureField, signatureFields, 'content');
  const verifierField = required(signatureField, signatureFields, 'verifier');
  const digest = readSomeBytes(request, fields, 'digest');
  const { key, algorithm, canonical, keys } = readVerifier(verifierField);
  if (algorithm.scheme === 'ed25519') {
    return refuse(verifierField, 'pure Ed25519 signs the message, which is not here: sign with PKIX_ED25519_PH');
  }
  const { protoName, size } = HASHES[algorithm.hash];
  if (digest.length !== size) {
    return refuse(
      { path: `${request.path}.digest` },
      `has ${digest.length} bytes, but this key signs ${protoName}, whose digests have ${size}`,
    );
  }
  return {
    async prove(verify) {
      if (!(await verify({ key, signed: { digest }, signature }))) {
        throw wrongSignature(`${signatureField.path}.content`, 'the key did not sign this digest');
      }
      const body = canonicalBody({
        apiVersion: hashedrekord.apiVersion,
        kind: hashedrekord.kind,
        spec: {
          hashedRekordV002: {
            data: { algorithm: protoName, digest: toBase64(digest) },
            signature: { content: toBase64(signature), verifier: canonical },
          },
        },
      });
      return { body, keys: uniqueKeys([{ name: 'digest', algorithm: algorithm.hash, digest }, ...keys]) };
    },
  };
}
