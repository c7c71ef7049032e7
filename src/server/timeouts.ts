/** How long whoever connects may take. */

/** For the headers and body of one request, in ms. */
const REQUEST_MS = 15_000;
const CHECK_MS = 1_000;
/** For a connection that asks nothing, in ms. */
const IDLE_MS = 30_000;

export const TIMEOUTS = {
  requestTimeout: REQUEST_MS,
  // Node takes the longer of both for a whole request, and looks twice a minute unless told to.
  http: { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, connectionsCheckingInterval: CHECK_MS },
  keepAliveTimeout: IDLE_MS,
};
