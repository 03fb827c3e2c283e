import type { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import type { Event } from '../api/gen/kv_pb.ts';
import type { V2Change } from './v2/store.ts';

/** Who proposed a command: at most one application per (member, epoch, sequence). */
export interface Origin {
  readonly memberId: string;
  readonly epoch: number;
  readonly sequence: number;
}

/**
 * The answer to one command: the message that etcd's method returns (header left to the member), or
 * why not.
 */
export type Response = NonNullable<unknown>;

/** What applying one entry did. */
export interface ApplyResult {
  readonly index: number;
  readonly origin: Origin;
  readonly command: Command;
  /** Exactly one of response and error is set. */
  readonly response: Response | null;
  readonly error: EtcdError | null;
  /** The store's revision afterwards. */
  readonly revision: number;
  /** What changed, in order; all of one revision. For watches. */
  readonly events: readonly Event[];
  /** What happened to the tree of v2, in order; null: nothing. */
  readonly v2Changes: readonly V2Change[] | null;
}
