/** The newest line of sigstore's packages for Node. */

import * as bundle from '@sigstore/bundle';
import * as specs from '@sigstore/protobuf-specs';
import * as sign from '@sigstore/sign';
import * as verify from '@sigstore/verify';
import { testClients } from './clients.ts';

testClients(() => ({ bundle, specs, sign, verify }));
