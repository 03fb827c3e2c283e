import type { SnapshotSource } from '../../src/member/host.ts';
import type { MemberId } from '../../src/raft/message.ts';
import { SnapshotClosedError } from '../../src/state/snapshot.ts';
import type { Instance } from './instance.ts';
import type { World } from './world.ts';

interface Route {
  readonly to: MemberId;
  carry(arrive: () => void, lose: () => void): void;
  receiver(): Instance | null;
}

/** Moves one snapshot to a peer, a chunk at a time: each is cut when the one before has arrived. */
export class SnapshotTransfer {
  readonly #world: World;
  readonly #sender: Instance;
  readonly #source: SnapshotSource;
  readonly #route: Route;
  #sequence = 0;
  #ended = false;

  constructor(world: World, sender: Instance, source: SnapshotSource, route: Route) {
    this.#world = world;
    this.#sender = sender;
    this.#source = source;
    this.#route = route;
  }

  start(): void {
    // A turn of its own: the sender is in the middle of one.
    this.#world.after(0, () => this.#next());
  }

  #next(): void {
    this.#sender.step('cuts chunk', this.#sequence, () => {
      if (this.#ended) return;
      const chunk = this.#cut();
      if (chunk === 'closed') this.#end(false);
      else if (chunk === null) this.#end(true);
      else this.#carry(this.#sequence++, chunk);
    });
  }

  /** Closed: a leader that was deposed has been sent a snapshot itself. */
  #cut(): Uint8Array | null | 'closed' {
    try {
      return this.#source.next();
    } catch (error) {
      if (error instanceof SnapshotClosedError) return 'closed';
      throw error;
    }
  }

  #carry(sequence: number, chunk: Uint8Array): void {
    let arrived = false;
    const arrive = () => {
      const receiver = this.#route.receiver();
      if (receiver === null) return this.#fail();
      const stage = () => {
        const taken = receiver.node.receiveChunk(this.#source.transferId, sequence, chunk.slice());
        if (arrived) return;
        arrived = true;
        this.#world.after(this.#world.plan.latencyMs, () => (taken ? this.#next() : this.#fail()));
      };
      receiver.request('stages chunk', sequence, stage, () => this.#fail());
    };
    this.#route.carry(arrive, () => this.#fail());
    // The fetch may never be answered: the runtime gives up on it.
    this.#world.after(this.#world.plan.electionTimeoutMs, () => {
      if (!arrived) this.#fail();
    });
  }

  #fail(): void {
    this.#sender.step('gives up a snapshot', this.#route.to, () => {
      if (!this.#ended) this.#world.coverage.add('snapshotTransfersFailed');
      this.#end(false);
    });
  }

  #end(ok: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#source.close();
    const { transferId, meta } = this.#source;
    this.#sender.node.snapshotStatus(this.#route.to, transferId, meta.index, meta.term, ok);
  }
}
