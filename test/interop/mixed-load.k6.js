/**
 * What k6 does to a server in k6.interop.ts, in k6's own JavaScript: good submissions, bad ones and reads, all at once.
 * Environment: URL of the server, without a slash at its end; SECONDS; REQUESTS, a file with what is sent and with which
 * status it must be answered (`Requests` of k6.interop.ts). Each 201 is a line on the console: its number in the file,
 * and its index in the log.
 */

import { check } from 'k6';
import { SharedArray } from 'k6/data';
import exec from 'k6/execution';
import http from 'k6/http';

const { URL, SECONDS, REQUESTS } = __ENV;
const ENTRIES = '/api/v2/log/entries';
/** One more than the server takes. */
const TOO_MANY_BYTES = 4 * 2 ** 20 + 1;

// Each of k6's virtual users is a JavaScript engine of its own: without these each would have a copy.
const [good, bad, paths] = ['good', 'bad', 'paths'].map(
  (name) => new SharedArray(name, () => JSON.parse(open(REQUESTS))[name]),
);

/** Bad ones and reads come at a rate whatever the answers: as fast as they can be answered they would be all there is. */
const rate = (perSecond, users, run) => ({
  executor: 'constant-arrival-rate',
  rate: perSecond,
  timeUnit: '1s',
  preAllocatedVUs: users,
  duration: `${SECONDS}s`,
  exec: run,
});

export const options = {
  scenarios: {
    good: { executor: 'constant-vus', vus: 32, duration: `${SECONDS}s`, exec: 'submitGood' },
    bad: rate(100, 12, 'submitBad'),
    oversize: rate(2, 2, 'submitTooMuch'),
    reads: rate(100, 12, 'read'),
  },
  // Every answer is checked for its status: 5xx, another 4xx and no answer at all are all failures of the run.
  thresholds: { checks: ['rate==1'], 'http_req_duration{scenario:good}': [] },
  summaryTrendStats: ['med', 'p(99)', 'max'],
};

function judge(answer, what, status, isRight = () => true) {
  const name = `${what}: ${status}`;
  if (check(answer, { [name]: (one) => one.status === status && isRight(one) })) return true;
  console.error(`${name}, but ${answer.status} ${answer.error} ${answer.body}`);
  return false;
}

/** Every fifth is one of before; once all have been sent, so is every other. */
export function submitGood() {
  const n = exec.scenario.iterationInTest;
  const fresh = n - Math.floor(n / 5);
  const number = (n % 5 === 4 ? Math.floor(fresh / 2) : fresh) % good.length;
  const { what, body } = good[number];
  const answer = http.post(`${URL}${ENTRIES}`, body);
  if (judge(answer, what, 201)) console.log(`${number} ${answer.json('logIndex')}`);
}

export function submitBad() {
  const { what, method = 'POST', path = ENTRIES, body, status } = bad[exec.scenario.iterationInTest % bad.length];
  const answer = http.request(method, `${URL}${path}`, body);
  judge(answer, what, status, path.startsWith('/api/v2/log/') ? hasMessage : undefined);
}

export function submitTooMuch() {
  judge(http.post(`${URL}${ENTRIES}`, 'x'.repeat(TOO_MANY_BYTES)), 'too large', 413, hasMessage);
}

function hasMessage(answer) {
  const { code, message } = answer.json();
  return code > 0 && message.length > 0;
}

/** A file by its path; and as readers of the log do, the checkpoint and what it says is there at the right edge. */
export function read() {
  const n = exec.scenario.iterationInTest;
  const path = paths[n % paths.length];
  const answer = http.get(`${URL}${path}`);
  if (!judge(answer, path, 200) || !path.endsWith('/checkpoint')) return;
  const size = Number(answer.body.split('\n')[1]);
  const width = size % 256;
  if (width === 0) return;
  const number = String(Math.floor(size / 256)).padStart(3, '0');
  for (const kind of ['0', 'entries']) {
    const tile = http.get(`${URL}${path.replace('checkpoint', `tile/${kind}/${number}.p/${width}`)}`);
    judge(tile, `the last of tile/${kind}`, 200);
  }
}
