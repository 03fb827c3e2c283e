/**
 * Where calls of a crowd wait for an event of their own, all for the same one.
 *
 * workerd looks at its sockets only when it has nothing else to do. A few clients whose next
 * requests come before their last answers are out never let it be idle, and everybody else waits
 * for hundreds of milliseconds. A timer makes it look; one for all who wait costs next to nothing,
 * and what has come in by then is one batch. A lone client waits for nobody, but for every
 * sixteenth call: it may be alone because the others are not heard.
 */
export class Turnstile {
  readonly #defer: (callback: () => void) => void;
  #inside = 0;
  #sinceEvent = 0;
  #event: Promise<void> | null = null;

  /** @param defer calls back in an event of its own */
  constructor(defer: (callback: () => void) => void) {
    this.#defer = defer;
  }

  /** A call begins: null when it may go on at once, else what it has to wait for. */
  enter(): Promise<void> | null {
    this.#inside++;
    this.#sinceEvent++;
    if (this.#inside === 1 && this.#sinceEvent < LONE_CALLS_MAX) return null;
    this.#event ??= new Promise((resolve) => {
      this.#defer(() => {
        this.#event = null;
        this.#sinceEvent = 0;
        resolve();
      });
    });
    return this.#event;
  }

  /** A call that has entered is over. */
  leave(): void {
    this.#inside--;
  }
}

const LONE_CALLS_MAX = 16;
