import { create } from '@bufbuild/protobuf';
import { INTERNAL } from '../../../src/api/caller.ts';
import { ERRORS, EtcdError } from '../../../src/api/error.ts';
import { RangeRequestSchema } from '../../../src/api/gen/rpc_pb.ts';
import { V2Error } from '../../../src/api/v2/error.ts';
import type { V2Event } from '../../../src/api/v2/event.ts';
import { intBetween, type Prng } from '../../../src/lib/prng.ts';
import type { MemberId } from '../../../src/raft/message.ts';
import { StateMachine } from '../../../src/state/machine.ts';
import type { ApplyResult } from '../../../src/state/result.ts';
import type { ModelOutcome } from '../../../src/state/v2/testing/model.ts';
import type { Coverage } from '../coverage.ts';
import { copyOf } from '../disk.ts';
import type { Instance } from '../instance.ts';
import { type ActualAnswer, differenceOf, type ModelAnswer } from '../model/answer.ts';
import { differenceOfEvents } from '../model/events.ts';
import type { ModelMoment } from '../model/machine.ts';
import { holds } from '../violation.ts';
import type { CommittedLog } from './committed_log.ts';
import type { LeaseChecker } from './leases.ts';
import { isSameEvent, type V2Checker } from './v2.ts';
import type { View } from './view.ts';

const EVERYTHING = new Uint8Array([0]);
/** A machine is compared key by key after one in so many steps that applied something. */
const DEEP_CHECK_EVERY = 32;

/** Those who look at parts of a state. */
interface Parts {
  readonly leases: LeaseChecker;
  readonly tree: V2Checker;
}

/** S1 to S7: the state machines, against each other and against the model. */
export class StateChecker {
  readonly #log: CommittedLog;
  readonly #parts: Parts;
  readonly #coverage: Coverage;
  readonly #prng: Prng;
  readonly #chains = new Map<number, number>();
  readonly #durableApplied = new Map<MemberId, number>();

  constructor(log: CommittedLog, parts: Parts, coverage: Coverage, prng: Prng) {
    this.#log = log;
    this.#parts = parts;
    this.#coverage = coverage;
    this.#prng = prng;
  }

  /** An instance was rebuilt from the durable rows of its member. */
  started(instance: Instance): void {
    const { machine } = instance.node;
    const { lastIndex } = instance.disk.live;
    holds(machine.appliedIndex <= lastIndex, 'S2', () => {
      return `the rows of ${instance.id} are applied to ${machine.appliedIndex}, its log ends at ${lastIndex}`;
    });
    const before = this.#durableApplied.get(instance.id) ?? 0;
    holds(machine.appliedIndex >= before, 'L8', () => {
      return `the durable applied index of ${instance.id} falls from ${before} to ${machine.appliedIndex}`;
    });
    this.#durableApplied.set(instance.id, machine.appliedIndex);
    if (machine.appliedIndex > 0) this.#coverage.add('rebuildsCompared');
    this.deepCheck(instance.name, machine, 'P2');
  }

  /** What the step has applied. */
  stepped(instance: Instance, view: View): void {
    const { machine } = instance.node;
    if (view.installed !== null) {
      this.#coverage.add('snapshotsInstalled');
      view.applied = view.installed;
    } else {
      holds(machine === view.machine, 'S2', () => `${instance.name} has changed its state machine`);
    }
    view.machine = machine;
    const results = view.results;
    view.results = [];
    view.installed = null;
    const from = view.applied;
    const to = machine.appliedIndex;
    if (from === to) return;
    holds(to > from, 'L8', () => `${instance.name} applied ${from} and is at ${to} now`);
    view.applied = to;
    this.#checkResults(instance, from, to, results);
    this.#checkMoment(instance.name, machine);
    if (intBetween(this.#prng, 1, DEEP_CHECK_EVERY) === 1) {
      this.deepCheck(instance.name, machine, 'S7');
      this.#rebuild(instance);
    }
  }

  /** Every live key, now and at a past revision, is as in the model. */
  deepCheck(name: string, machine: StateMachine, invariant: string): void {
    this.#checkMoment(name, machine);
    const moment = this.#log.momentAt(machine.appliedIndex);
    const oldest = Math.max(1, moment.compactRevision - 1);
    this.#checkHistory(name, machine, moment);
    this.#parts.leases.deepCheck(name, machine);
    this.#parts.tree.deepCheck(name, machine);
    for (const revision of [0, intBetween(this.#prng, oldest, moment.revision)]) {
      const request = create(RangeRequestSchema, {
        key: EVERYTHING,
        rangeEnd: EVERYTHING,
        revision: BigInt(revision),
      });
      const expected = this.#log.model.range(request, moment);
      const actual = answerOf(() => machine.range(request, INTERNAL));
      const difference = differenceBetween(expected, actual);
      holds(difference === null, invariant, () => {
        return `${name} at index ${machine.appliedIndex}, keys at revision ${revision}: ${difference}`;
      });
    }
  }

  /** P2: what a machine is in memory, its rows are too, as of their applied index. */
  #rebuild(instance: Instance): void {
    this.#coverage.add('rebuildsCompared');
    const rebuilt = new StateMachine(copyOf(instance.disk.live), instance.bugs);
    this.deepCheck(`${instance.name}, rebuilt from its rows,`, rebuilt, 'P2');
  }

  /**
   * W3 and W9, what a watch would replay: every event from a revision on, with what it replaced.
   */
  #checkHistory(name: string, machine: StateMachine, moment: ModelMoment): void {
    const from = intBetween(this.#prng, Math.max(2, moment.compactRevision), moment.revision + 1);
    const budget = { revisionsMax: 20, bytesMax: 10_000 };
    let expected = from;
    for (const { revision, events } of machine.eventsFrom(from, true, budget)) {
      holds(revision === expected, 'W3', () => {
        return `${name} replays revision ${revision} from ${from} on, where ${expected} is due`;
      });
      const difference = differenceOfEvents(this.#log.model.store.changesOf(revision), events, {
        compactRevision: moment.compactRevision,
      });
      holds(difference === null, 'W9', () => `${name} replays revision ${revision}: ${difference}`);
      expected += 1;
    }
    const replayed = expected > moment.revision || expected - from >= budget.revisionsMax;
    holds(replayed, 'W3', () => {
      return `${name} replays nothing after ${expected - 1}, its revision is ${moment.revision}`;
    });
  }

  /**
   * S2: exactly the entries that have an effect were applied, once, and did what the model says.
   */
  #checkResults(
    instance: Instance,
    from: number,
    to: number,
    results: readonly ApplyResult[],
  ): void {
    let next = 0;
    for (let index = from + 1; index <= to; index++) {
      const { answer, moment } = this.#log.at(index);
      if (answer === null) continue;
      const result = results[next++];
      holds(result?.index === index, 'S2', () => {
        return `${instance.name} applies ${result?.index ?? 'nothing'} where ${index} is due`;
      });
      const difference = differenceBetween(answer, result);
      holds(
        difference === null,
        'S5',
        () => `${instance.name} answers entry ${index}: ${difference}`,
      );
      holds(result.revision === moment.revision, 'S3', () => {
        return `${instance.name} is at revision ${result.revision} after entry ${index}, must be ${moment.revision}`;
      });
    }
    holds(next === results.length, 'S2', () => {
      return `${instance.name} applies entry ${results[next]?.index}, which has no effect or was applied before`;
    });
  }

  #checkMoment(name: string, machine: StateMachine): void {
    const { appliedIndex, revision, compactRevision, chain } = machine;
    const known = appliedIndex <= this.#log.lastIndex;
    holds(known, 'S2', () => `${name} has applied ${appliedIndex}, which nobody has committed`);
    const moment = this.#log.momentAt(appliedIndex);
    holds(revision === moment.revision, 'S3', () => {
      return `${name} is at revision ${revision} at index ${appliedIndex}, must be ${moment.revision}`;
    });
    holds(compactRevision === moment.compactRevision, 'S6', () => {
      return `${name} is compacted to ${compactRevision} at index ${appliedIndex}, must be ${moment.compactRevision}`;
    });
    holds(machine.v2.index === moment.treeIndex, 'T1', () => {
      return `${name} is at ${machine.v2.index} of the tree at index ${appliedIndex}, must be ${moment.treeIndex}`;
    });
    const { rights } = this.#log.rightsAt(appliedIndex);
    holds(
      machine.auth.revision === rights.revision && machine.auth.enabled === rights.enabled,
      'S5',
      () => {
        return `${name} is at auth revision ${machine.auth.revision} at index ${appliedIndex}, must be ${rights.revision}`;
      },
    );
    const other = this.#chains.get(appliedIndex);
    holds(other === undefined || other === chain, 'S1', () => {
      return `${name} has another history of outcomes at index ${appliedIndex} than a member before it`;
    });
    this.#chains.set(appliedIndex, chain);
  }
}

/** What a request was answered: a response, or etcd's error. */
export interface Outcome {
  readonly response: unknown;
  readonly error: EtcdError | null;
}

/** The answer, or the error that was thrown instead. */
export function answerOf(evaluate: () => unknown): Outcome {
  try {
    return { response: evaluate(), error: null };
  } catch (error) {
    if (error instanceof EtcdError) return { response: null, error };
    throw error;
  }
}

export function differenceBetween(expected: ModelAnswer, actual: Outcome): string | null {
  if (expected.type === 'tree') return differenceOfTree(expected.outcome, actual);
  if (expected.type === 'refused' && actual.error !== null) return null;
  if (expected.type !== 'error') {
    if (actual.error !== null) return `the error "${actual.error.message}" instead of an answer`;
    return differenceOf(expected, actual.response as ActualAnswer);
  }
  const [, wanted] = ERRORS[expected.error];
  const got = actual.error?.message ?? 'an answer';
  return got === wanted ? null : `${got} instead of "${wanted}"`;
}

function differenceOfTree(expected: ModelOutcome, { response, error }: Outcome): string | null {
  if ('event' in expected) {
    if (error !== null) return `the error "${error.message}" instead of an event`;
    const event = response as V2Event;
    if (isSameEvent(expected.event, event)) return null;
    return `${JSON.stringify(event)} instead of ${JSON.stringify(expected.event)}`;
  }
  const { errorCode, cause, index } = expected;
  const wanted = `${errorCode} ${cause} [${index}]`;
  const got = error instanceof V2Error ? `${error.errorCode} ${error.reason} [${error.index}]` : '';
  return got === wanted ? null : `${got || 'no error'} instead of ${wanted}`;
}
