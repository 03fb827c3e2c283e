/**
 * What a command has changed so far, as the steps that undo it. Commands are applied in place, so
 * that each step of a transaction sees those before it; one that fails is taken back whole.
 */
export class Journal {
  #undo: (() => void)[] = [];

  get length(): number {
    return this.#undo.length;
  }

  /** Notes how to take back the change that is about to be made. */
  note(undo: () => void): void {
    // Most commands take one step: a list that is pushed to has room for seventeen.
    if (this.#undo.length === 0) this.#undo = [undo];
    else this.#undo.push(undo);
  }

  /** Keeps everything since the last commit. */
  commit(): void {
    if (this.#undo.length > 0) this.#undo = [];
  }

  /** Takes back everything since the last commit, the newest first. */
  rollback(): void {
    const undo = this.#undo;
    this.#undo = [];
    for (let i = undo.length - 1; i >= 0; i--) undo[i]?.();
  }
}
