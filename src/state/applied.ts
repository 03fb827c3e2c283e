import type { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import type { Event } from '../api/gen/kv_pb.ts';
import { eventOf } from './event.ts';
import type { Change } from './mvcc.ts';
import type { Outcome } from './parts.ts';
import type { ApplyResult, Origin, Response } from './result.ts';
import type { V2Change } from './v2/store.ts';
import { wholeOf } from './version_index.ts';

/**
 * The result of one entry. Most results are looked at by nobody but the proposer: events are made
 * when asked for.
 */
export class Applied implements ApplyResult {
  readonly index: number;
  readonly origin: Origin;
  readonly command: Command;
  readonly response: Response | null;
  readonly error: EtcdError | null;
  readonly revision: number;
  readonly v2Changes: readonly V2Change[] | null;
  readonly #changes: readonly Change[];
  #events: readonly Event[] | null = null;

  constructor(index: number, origin: Origin, command: Command, revision: number, outcome: Outcome) {
    this.index = index;
    this.origin = origin;
    this.command = command;
    this.revision = revision;
    this.response = outcome.response;
    this.error = outcome.error;
    this.v2Changes = outcome.v2?.changes ?? null;
    this.#changes = outcome.changes;
  }

  get events(): readonly Event[] {
    this.#events ??= this.#changes.map(({ version, replaced }) =>
      eventOf(version, wholeOf(replaced)),
    );
    return this.#events;
  }
}
