/** The PKI formats that proposals may use. Another one is a file beside these and a line here. */

import type { KeyFormat } from './format.ts';
import { certificateFormat } from './format-certificate.ts';
import { publicKeyFormat } from './format-public-key.ts';

export const KEY_FORMATS: readonly KeyFormat[] = [publicKeyFormat, certificateFormat];
