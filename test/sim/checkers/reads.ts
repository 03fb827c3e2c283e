import { create, toBinary } from '@bufbuild/protobuf';
import type { Caller } from '../../../src/api/caller.ts';
import type { EtcdError } from '../../../src/api/error.ts';
import { type Command, CommandSchema } from '../../../src/api/gen/command_pb.ts';
import type { RangeRequest } from '../../../src/api/gen/rpc_pb.ts';
import { equalBytes } from '../../../src/lib/bytes.ts';
import type { ApplyResult } from '../../../src/state/result.ts';
import type { Begun, OperationObserver } from '../clients.ts';
import type { Instance } from '../instance.ts';
import type { ModelAnswer } from '../model/answer.ts';
import { readRefusal } from '../model/auth.ts';
import type { WriteRequest } from '../requests.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { CommittedLog } from './committed_log.ts';
import type { ElectionChecker } from './elections.ts';
import type { RoundChecker } from './rounds.ts';
import { answerOf, differenceBetween } from './state.ts';

/**
 * R1 to R8, and the same for writes: strict serializability without a search. Every operation has
 * a place in the log (a write its index, a read the index applied where it was read), so it is
 * enough that places respect real time and that each answer is the model's at its place.
 */
export class OperationChecker implements OperationObserver {
  readonly #log: CommittedLog;
  readonly #elections: ElectionChecker;
  readonly #world: World;
  readonly #rounds: RoundChecker;
  /** The last place among operations that are finished: what begins now comes after it. */
  #floor = 0;
  /** Checks that wait until the committed log has caught up with the step under way. */
  #pending: (() => void)[] = [];

  constructor(world: World, log: CommittedLog, elections: ElectionChecker, rounds: RoundChecker) {
    this.#world = world;
    this.#log = log;
    this.#elections = elections;
    this.#rounds = rounds;
  }

  begins(instance: Instance): Begun {
    const { role, term } = instance.node.status.raft;
    if (role === 'leader' && term < this.#elections.lastTerm) {
      this.#world.coverage.add('readsAtStaleLeaders');
    }
    return { floor: this.#floor, atUs: this.#world.nowUs };
  }

  writeAnswered({ floor }: Begun, request: WriteRequest, result: ApplyResult): void {
    const { index } = result;
    this.#world.coverage.add('writesAcknowledged');
    this.#floor = Math.max(this.#floor, index);
    this.#pending.push(() => {
      holds(
        index <= this.#log.lastIndex,
        'L6',
        () => `write ${index} is acknowledged, not committed`,
      );
      holds(index > floor, 'R1', () => `a write gets index ${index}, after ${floor} was finished`);
      const { command, answer } = this.#log.at(index);
      holds(command !== null && answer !== null, 'S2', () => `write ${index} had no effect`);
      holds(
        isSameRequest(command, request),
        'S2',
        () => `the answer of ${index} is for another write`,
      );
      const difference = differenceBetween(answer, result);
      holds(difference === null, 'S5', () => `write ${index} is answered wrong: ${difference}`);
    });
  }

  writeRefused(_error: EtcdError): void {
    this.#world.coverage.add('writesUnknown');
  }

  reads(instance: Instance, begun: Begun | null, request: RangeRequest, caller: Caller): void {
    const floor = begun?.floor ?? null;
    if (begun !== null) this.#rounds.answers(instance, begun.atUs);
    const { machine } = instance.node;
    const index = machine.appliedIndex;
    const outcome = answerOf(() => machine.range(request, caller));
    this.#world.coverage.add(floor === null ? 'serializableReads' : 'linearizableReads');
    if (floor !== null) this.#floor = Math.max(this.#floor, index);
    this.#pending.push(() => {
      holds(floor === null || index >= floor, 'R1', () => {
        return `${instance.name} answers a read from index ${index}, ${floor} was finished before it began`;
      });
      const { rights } = this.#log.rightsAt(index);
      const refused = readRefusal(rights, caller, request.key, request.rangeEnd);
      const expected: ModelAnswer =
        refused === null
          ? this.#log.model.range(request, this.#log.momentAt(index))
          : { type: 'error', error: refused };
      if (expected.type === 'error' && expected.error === 'compacted') {
        this.#world.coverage.add('compactedReads');
      }
      const difference = differenceBetween(expected, outcome);
      holds(difference === null, request.revision === 0n ? 'R7' : 'R8', () => {
        return `${instance.name} reads at index ${index} (revision ${request.revision}): ${difference}`;
      });
    });
  }

  /** The step is over, and the committed log knows what it committed. */
  settle(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const check of pending) check();
  }
}

function isSameRequest(command: Command, request: WriteRequest): boolean {
  const bytes = (value: WriteRequest) =>
    toBinary(CommandSchema, create(CommandSchema, { request: value }));
  return equalBytes(bytes(command.request), bytes(request));
}
