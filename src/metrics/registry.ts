import { assert } from '../lib/assert.ts';
import { Counter, Gauge, Histogram, type Metric } from './metric.ts';

/** More children than this under one name mean that a label takes values without bound. */
const CHILDREN_MAX = 1_000;

type Strings<N extends readonly string[]> = { readonly [I in keyof N]: string };

/** One metric for every combination of label values. */
export class Family<M extends Metric, N extends readonly string[]> {
  readonly #create: () => M;
  readonly #names: N;
  readonly #children = new Map<string, M>();

  constructor(create: () => M, names: N) {
    this.#create = create;
    this.#names = names;
  }

  /** The metric for these values, in the order of the names. Keep it where it is used often. */
  with(...values: Strings<N>): M {
    const key = this.#names.map((name, i) => `${name}="${escaped(values[i] ?? '')}"`).join(',');
    const known = this.#children.get(key);
    if (known !== undefined) return known;
    assert(this.#children.size < CHILDREN_MAX, `too many label values: ${key}`);
    const child = this.#create();
    this.#children.set(key, child);
    return child;
  }

  render(name: string): string {
    return [...this.#children].map(([labels, child]) => child.render(name, labels)).join('');
  }
}

/** The metrics of one member, in the Prometheus text format 0.0.4. */
export class Registry {
  readonly #renderers = new Map<string, () => string>();

  counter(name: string, help: string): Counter {
    return this.#single(name, help, 'counter', new Counter());
  }

  gauge(name: string, help: string): Gauge {
    return this.#single(name, help, 'gauge', new Gauge());
  }

  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#single(name, help, 'histogram', new Histogram(bounds));
  }

  counters<const N extends readonly string[]>(
    name: string,
    help: string,
    labels: N,
  ): Family<Counter, N> {
    return this.#family(name, help, 'counter', new Family(() => new Counter(), labels));
  }

  gauges<const N extends readonly string[]>(
    name: string,
    help: string,
    labels: N,
  ): Family<Gauge, N> {
    return this.#family(name, help, 'gauge', new Family(() => new Gauge(), labels));
  }

  histograms<const N extends readonly string[]>(
    name: string,
    help: string,
    labels: N,
    bounds: readonly number[],
  ): Family<Histogram, N> {
    return this.#family(name, help, 'histogram', new Family(() => new Histogram(bounds), labels));
  }

  /** Everything, for a scrape. */
  render(): string {
    return [...this.#renderers.values()].map((render) => render()).join('');
  }

  #single<M extends Metric>(name: string, help: string, type: string, metric: M): M {
    this.#add(name, help, type, () => metric.render(name, ''));
    return metric;
  }

  #family<F extends { render(name: string): string }>(
    name: string,
    help: string,
    type: string,
    family: F,
  ): F {
    this.#add(name, help, type, () => family.render(name));
    return family;
  }

  #add(name: string, help: string, type: string, render: () => string): void {
    assert(/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name), `not a metric name: ${name}`);
    assert(!this.#renderers.has(name), `${name} is declared twice`);
    const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
    this.#renderers.set(name, () => `# HELP ${name} ${text}\n# TYPE ${name} ${type}\n${render()}`);
  }
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
