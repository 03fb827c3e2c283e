import { assert } from '../lib/assert.ts';

/** A number that only grows. */
export class Counter {
  value = 0;

  inc(by = 1): void {
    assert(by >= 0, `a counter cannot shrink by ${-by}`);
    this.value += by;
  }

  render(name: string, labels: string): string {
    return sample(name, labels, this.value);
  }
}

/** A number that goes up and down. */
export class Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(by: number): void {
    this.value += by;
  }

  render(name: string, labels: string): string {
    return sample(name, labels, this.value);
  }
}

/** Observations counted by upper bound. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds inclusive upper bounds, rising; +Inf is added */
  constructor(bounds: readonly number[]) {
    assert(
      bounds.every((bound, i) => i === 0 || bound > (bounds[i - 1] ?? Infinity)),
      'bounds must rise',
    );
    this.#bounds = bounds;
    this.#counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const slot = found < 0 ? this.#bounds.length : found;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + 1;
    this.#sum += value;
  }

  render(name: string, labels: string): string {
    const prefix = labels === '' ? '' : `${labels},`;
    let total = 0;
    let text = '';
    this.#counts.forEach((count, i) => {
      total += count;
      const bound = this.#bounds[i] ?? Infinity;
      text += sample(`${name}_bucket`, `${prefix}le="${numberText(bound)}"`, total);
    });
    return text + sample(`${name}_sum`, labels, this.#sum) + sample(`${name}_count`, labels, total);
  }
}

export type Metric = Counter | Gauge | Histogram;

function sample(name: string, labels: string, value: number): string {
  return `${labels === '' ? name : `${name}{${labels}}`} ${numberText(value)}\n`;
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
