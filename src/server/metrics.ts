/**
 * What Prometheus is told (prometheus.io/docs/instrumenting): what it takes to judge the service level, and to find out
 * why it is missed. Labels have few values, all of them ours: nothing that a client sends becomes one.
 */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SignedCheckpoint } from '../note/index.ts';
import type { Waiting } from '../queue/index.ts';
import type { SubmissionOutcome } from './entries.ts';

/** Bounds in seconds: 5 ms, which a directory takes, to 20 s, after which a client is told to come again. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];
const METHODS = new Set(['GET', 'HEAD', 'POST', 'OPTIONS']);

export interface MetricsSources {
  readonly waiting?: () => Waiting;
  /** The checkpoint that this process published last. */
  readonly published?: () => SignedCheckpoint;
  /** Milliseconds of signature checks that wait. */
  readonly checksMs?: () => number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Counter<'route' | 'method' | 'code'>;
  readonly #requestSeconds: Histogram<'route'>;
  readonly #submissions: Counter<'kind' | 'outcome'>;
  readonly #submissionSeconds: Histogram;
  readonly #committed: Counter;
  readonly #commitSeconds: Histogram;
  readonly #publications: Counter;
  readonly #publicationSeconds: Histogram;
  readonly #published: Gauge;
  readonly #retries: Counter<'doing'>;

  constructor(sources: MetricsSources) {
    const registers = [this.#registry];
    const counter = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Counter<Label> =>
      new Counter({ name: `stele_${name}`, help, labelNames, registers });
    const seconds = <Label extends string>(name: string, help: string, ...labelNames: Label[]): Histogram<Label> =>
      new Histogram({ name: `stele_${name}_seconds`, help, labelNames, buckets: SECONDS, registers });
    const gauge = (name: string, help: string, read: () => number): Gauge =>
      new Gauge({
        name: `stele_${name}`,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });

    this.#requests = counter('http_requests_total', 'Requests that were answered.', 'route', 'method', 'code');
    // A series that begins with its first error would not show that error as a rise.
    for (const code of ['201', '400', '500', '503']) {
      this.#requests.inc({ route: '/api/v2/log/entries', method: 'POST', code }, 0);
    }
    this.#requestSeconds = seconds('http_request_duration', 'From the head of a request to its answer.', 'route');
    this.#submissions = counter('submissions_total', 'Submissions by what became of them.', 'kind', 'outcome');
    this.#submissionSeconds = seconds('submission_duration', 'From a submission to the proof of its publication.');
    this.#committed = counter('committed_entries_total', 'Entries that this process committed.');
    this.#commitSeconds = seconds('commit_duration', 'Committing one batch.');
    this.#publications = counter('publications_total', 'Checkpoints that this process published.');
    this.#publicationSeconds = seconds('publication_duration', 'From tiles to the checkpoint.');
    this.#published = new Gauge({
      name: 'stele_last_publication_timestamp_seconds',
      help: 'When this process published last, in seconds since 1970; 0 if it did not.',
      registers,
    });
    this.#retries = counter('retries_total', 'Storage and queue operations that failed and were tried again.', 'doing');
    const { waiting, published, checksMs } = sources;
    if (waiting !== undefined) {
      gauge('waiting_entries', 'Entries that this process took and that are not published.', () => waiting().entries);
      gauge('waiting_bytes', 'Their bytes.', () => waiting().bytes);
      gauge('oldest_waiting_seconds', 'How long the oldest of them has waited.', () => waiting().oldestMs / 1_000);
    }
    if (published !== undefined) {
      gauge('tree_size', 'Entries in the published tree.', () => published().size);
      gauge(
        'checkpoint_cosignatures',
        'Signatures of witnesses on the published checkpoint.',
        () => published().signatures.length - 1,
      );
    }
    if (checksMs !== undefined) {
      gauge('signature_checks_waiting_seconds', 'Signature checks that wait, in time.', () => checksMs() / 1_000);
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  onAnswered(route: string, method: string, code: number, seconds: number): void {
    this.#requests.inc({ route, method: METHODS.has(method) ? method : 'other', code: String(code) });
    this.#requestSeconds.observe({ route }, seconds);
  }

  readonly onSubmission = (kind: string, outcome: SubmissionOutcome, seconds: number): void => {
    this.#submissions.inc({ kind, outcome });
    if (outcome === 'added' || outcome === 'duplicate') this.#submissionSeconds.observe(seconds);
  };

  onCommitted({ entries, latencyMs }: { readonly entries: number; readonly latencyMs: number }): void {
    this.#committed.inc(entries);
    this.#commitSeconds.observe(latencyMs / 1_000);
  }

  onPublished({ latencyMs }: { readonly latencyMs: number }): void {
    this.#publications.inc();
    this.#publicationSeconds.observe(latencyMs / 1_000);
    this.#published.setToCurrentTime();
  }

  /** `what` was tried, as the sequencer tells it; its first word is one of a dozen. */
  onRetry(what: string): void {
    this.#retries.inc({ doing: what.split(' ')[0] ?? what });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
