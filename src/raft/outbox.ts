import type { Entry, MemberId, Message, SnapshotMeta } from './message.ts';
import type { Output, PersistBatch, ReadFailure, SoftState } from './output.ts';

/** What the runtime is told when a step is over, beside the lanes. */
export interface StepResult {
  readonly persist: PersistBatch | null;
  readonly softState: SoftState | null;
  readonly deadlineMs: number | null;
  readonly more: boolean;
}

/** Collects one step's output, lane by lane. */
export class Outbox {
  #sendNow: Message[] = [];
  #sendAfterPersist: Message[] = [];
  #apply: Entry[] = [];
  #reads: { id: number; index: number }[] = [];
  #readFailures: ReadFailure[] = [];
  #dropped: Uint8Array[] = [];
  #snapshotsWanted: MemberId[] = [];
  #install: { meta: SnapshotMeta; transferId: string } | null = null;

  sendNow(message: Message): void {
    this.#sendNow.push(message);
  }

  /** For what promises something that must survive a crash (L9). */
  sendAfterPersist(message: Message): void {
    this.#sendAfterPersist.push(message);
  }

  apply(entries: readonly Entry[]): void {
    for (const entry of entries) this.#apply.push(entry);
  }

  answerRead(id: number, index: number): void {
    this.#reads.push({ id, index });
  }

  failRead(id: number, reason: ReadFailure['reason']): void {
    this.#readFailures.push({ id, reason });
  }

  drop(data: Uint8Array): void {
    this.#dropped.push(data);
  }

  wantSnapshot(to: MemberId): void {
    this.#snapshotsWanted.push(to);
  }

  /** A later snapshot of the same step covers an earlier one. */
  install(meta: SnapshotMeta, transferId: string): void {
    this.#install = { meta, transferId };
  }

  takeInstall(): PersistBatch['snapshot'] {
    const install = this.#install;
    this.#install = null;
    return install;
  }

  /** The step's output; the box is empty afterwards. */
  take(result: StepResult): Output {
    const output: Output = {
      sendNow: this.#sendNow,
      sendAfterPersist: this.#sendAfterPersist,
      apply: this.#apply,
      reads: this.#reads,
      readFailures: this.#readFailures,
      dropped: this.#dropped,
      snapshotsWanted: this.#snapshotsWanted,
      ...result,
    };
    this.#sendNow = [];
    this.#sendAfterPersist = [];
    this.#apply = [];
    this.#reads = [];
    this.#readFailures = [];
    this.#dropped = [];
    this.#snapshotsWanted = [];
    return output;
  }
}
