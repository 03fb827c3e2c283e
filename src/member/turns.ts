import type { NodeHost } from './host.ts';

/**
 * When the next turn is. News of peers and disks are rare and worked off at once, in the event that
 * brings them. Clients may be many: while they come in crowds their turn waits for the end of what
 * has arrived, so that one batch serves them all; each turn of the event loop costs as much as
 * several requests.
 */
export class Turns {
  readonly #host: Pick<NodeHost, 'soon' | 'defer'>;
  readonly #turn: () => void;
  #due: 'soon' | 'later' | null = null;
  #open = false;
  /** The last turn with clients' requests had several of them. */
  crowded = false;

  constructor(host: Pick<NodeHost, 'soon' | 'defer'>, turn: () => void) {
    this.#host = host;
    this.#turn = turn;
  }

  /** From now on there are turns. */
  open(): void {
    this.#open = true;
    if (this.#due !== null) this.#arm(this.#due);
  }

  /** None until it is opened: what is to be done meanwhile is remembered. */
  close(): void {
    this.#open = false;
  }

  /** There is something to do. */
  schedule(forClients = false): void {
    const later = forClients && this.crowded;
    if (this.#due === 'soon' || (this.#due === 'later' && later)) return;
    this.#due = later ? 'later' : 'soon';
    if (this.#open) this.#arm(this.#due);
  }

  #arm(due: 'soon' | 'later'): void {
    const run = () => this.#run();
    if (due === 'later') this.#host.defer(run);
    else this.#host.soon(run);
  }

  #run(): void {
    // A turn that was asked for later may have been overtaken by one that could not wait.
    if (this.#due === null || !this.#open) return;
    this.#due = null;
    this.#turn();
  }
}
