import { prices } from '../config/prices.ts';
import type { Counter } from './metric.ts';
import type { Registry } from './registry.ts';

/** What the platform charges for, as far as the object sees it; totals of this instance. */
export interface Usage {
  /** Clients' requests: each is one of the Worker and one of the object. */
  readonly clientRequests: number;
  /** Requests that begin at the object: of peers, and alarms. */
  readonly ownRequests: number;
  /** Messages that came in on WebSockets. */
  readonly socketMessages: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** The database's bytes now. */
  readonly storedBytes: number;
  /** Since this instance began. */
  readonly seconds: number;
}

/**
 * What this member costs, in dollars at the list prices in config.ts, without what a plan includes.
 * An estimate from this instance's own counters, which begin at zero with each instance:
 *
 *   requests      (clients' + peers' + alarms + WebSocket messages / 20) x price
 *   worker        clients' requests x price (its CPU time is not known here)
 *   duration      seconds since the instance began x 0.128 GB x price: an object that sleeps
 *                 without hibernating is counted as awake
 *   rows_read, rows_written   as the database counts them, and one written for each alarm
 *   storage       bytes x seconds, added up from scrape to scrape, x price / a month of 30 days
 */
export class BillMetrics {
  readonly #cost;
  readonly #rowsWritten: Counter;
  readonly #rowsRead: Counter;
  readonly #activeSeconds: Counter;
  readonly #storedBytes;
  #byteSeconds = 0;
  #lastSeconds = 0;

  constructor(r: Registry) {
    this.#rowsWritten = r.counter(
      'edgetcd_storage_rows_written_total',
      'Rows written: each is billed.',
    );
    this.#rowsRead = r.counter('edgetcd_storage_rows_read_total', 'Rows read: each is billed.');
    this.#storedBytes = r.gauge('edgetcd_storage_bytes', 'The size of the database: it is billed.');
    this.#activeSeconds = r.counter(
      'edgetcd_active_seconds_total',
      'How long this instance of the object has been in memory.',
    );
    this.#cost = r.counters(
      'edgetcd_estimated_cost_dollars_total',
      'What this instance has cost at list prices, by what is charged for.',
      ['kind'],
    );
  }

  update(usage: Usage): void {
    const { rowsRead, rowsWritten, storedBytes, seconds } = usage;
    this.#byteSeconds += storedBytes * Math.max(0, seconds - this.#lastSeconds);
    this.#lastSeconds = seconds;
    this.#rowsRead.value = rowsRead;
    this.#rowsWritten.value = rowsWritten;
    this.#storedBytes.set(storedBytes);
    this.#activeSeconds.value = seconds;
    for (const [kind, dollars] of Object.entries(costOf(usage, this.#byteSeconds))) {
      this.#cost.with(kind).value = dollars;
    }
  }
}

/** Dollars by kind. */
export function costOf(usage: Usage, byteSeconds: number): Readonly<Record<string, number>> {
  const { clientRequests, ownRequests, socketMessages, rowsRead, rowsWritten, seconds } = usage;
  const messages = socketMessages / prices.socketMessagesPerRequest;
  const gigabyteMonths = byteSeconds / 1e9 / (30 * 24 * 3_600);
  return {
    requests: ((clientRequests + ownRequests + messages) / 1e6) * prices.millionRequests,
    worker: (clientRequests / 1e6) * prices.millionWorkerRequests,
    duration: ((seconds * prices.objectGigabytes) / 1e6) * prices.millionGigabyteSeconds,
    rows_read: (rowsRead / 1e6) * prices.millionRowsRead,
    rows_written: (rowsWritten / 1e6) * prices.millionRowsWritten,
    storage: gigabyteMonths * prices.gigabyteMonth,
  };
}
