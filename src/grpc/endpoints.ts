import { must } from '../lib/assert.ts';

/** The addresses of a cluster's members, and which of them is asked first. */
export class Endpoints {
  readonly #urls: readonly string[];
  #first = 0;

  /** @param urls of HTTP, at least one */
  constructor(urls: readonly string[]) {
    this.#urls = urls;
    must(urls[0], 'a cluster has an endpoint');
  }

  get count(): number {
    return this.#urls.length;
  }

  /** The one to ask. */
  get current(): string {
    return must(this.#urls[this.#first], 'within the list');
  }

  /** It could not be reached: the next one is asked from now on, unless that is so already. */
  failed(url: string): void {
    if (url === this.current) this.#first = (this.#first + 1) % this.#urls.length;
  }
}
