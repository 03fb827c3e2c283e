import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import {
  type CompactionRequest,
  type CompactionResponse,
  CompactionResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { InvariantError } from '../lib/assert.ts';
import { Alarms, evaluateAlarm, refuseWhenCorrupt, refuseWhenFull } from './alarm.ts';
import { StorageError } from './guarded_store.ts';
import { Journal } from './journal.ts';
import { grantLease, Leases, revokeLease } from './lease.ts';
import { Members } from './member.ts';
import type { Meta } from './meta.ts';
import { type Change, Mvcc } from './mvcc.ts';
import { evaluateDeleteRange, evaluatePut } from './put.ts';
import type { Response } from './result.ts';
import type { StateStore } from './store.ts';
import { evaluateTxn, hasPut, isReadOnlyTxn } from './txn.ts';
import { validateDeleteRange, validateLeaseGrant, validatePut, validateTxn } from './validate.ts';

type Request = Command['request'];
type Case = NonNullable<Request['case']>;
type RequestOf<C extends Case> = Extract<Request, { case: C }>['value'];

/** Evaluates one kind of command: answers it, or throws an EtcdError and leaves nothing behind. */
type Evaluator<C extends Case> = (parts: Parts, request: RequestOf<C>) => Response;

/**
 * The parts of the state machine. A new part adds itself in three lines: its field here, its tables
 * in `tables`, its commands in EVALUATORS. Dirty rows, rollback, flush and snapshots follow from
 * that.
 */
export class Parts {
  readonly journal = new Journal();
  readonly mvcc: Mvcc;
  readonly leases: Leases;
  readonly alarms: Alarms;
  readonly members: Members;
  readonly bugs: ReadonlySet<string>;

  constructor(store: StateStore, meta: Meta, bugs: ReadonlySet<string>) {
    this.bugs = bugs;
    this.mvcc = new Mvcc(store, this.journal, meta, bugs);
    this.leases = new Leases(store, this.journal);
    this.alarms = new Alarms(store, this.journal);
    this.members = new Members(store, this.journal);
  }

  /** The tables that are small: a snapshot captures them when it is opened. */
  get smallTables() {
    return [this.leases.table, this.alarms.table, this.members.table];
  }

  get unflushedBytes(): number {
    let bytes = this.mvcc.unflushedBytes;
    for (const table of this.smallTables) bytes += table.dirtyBytes;
    return bytes;
  }

  /** Keeps what the command has changed, as one revision; returns the changes of keys. */
  commit(): readonly Change[] {
    this.journal.commit();
    return this.mvcc.commit();
  }

  /** Takes back all that the command has changed. */
  rollback(): void {
    this.mvcc.rollback();
    this.journal.rollback();
  }

  flush(): void {
    this.mvcc.flush();
    for (const table of this.smallTables) table.flush();
  }
}

const EVALUATORS: { readonly [C in Case]: Evaluator<C> } = {
  put: ({ mvcc, leases, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    refuseWhenFull(alarms);
    validatePut(request);
    return evaluatePut(mvcc, leases, request);
  },
  deleteRange: ({ mvcc, leases, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    validateDeleteRange(request);
    return evaluateDeleteRange(mvcc, leases, request);
  },
  txn: ({ mvcc, leases, alarms, bugs }, request) => {
    if (!isReadOnlyTxn(request)) refuseWhenCorrupt(alarms);
    if (hasPut(request)) refuseWhenFull(alarms);
    // The number of operations is the proposer's limit, not the state's: members may differ in it.
    validateTxn(request, Number.POSITIVE_INFINITY);
    return evaluateTxn(mvcc, leases, request, !bugs.has('apply-partial-txn'));
  },
  compaction: ({ mvcc, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    return evaluateCompaction(mvcc, request);
  },
  leaseGrant: ({ leases, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    refuseWhenFull(alarms);
    validateLeaseGrant(request);
    return grantLease(leases, request);
  },
  leaseRevoke: ({ mvcc, leases, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    return revokeLease(leases, mvcc, request);
  },
  alarm: ({ alarms }, request) => evaluateAlarm(alarms, request),
  memberPublish: ({ members }, request) => {
    members.publish(request);
    return {};
  },
};

/**
 * What became of a command: an answer or an error, and the changes of keys, all of one revision.
 */
export interface Outcome {
  readonly response: Response | null;
  readonly error: EtcdError | null;
  readonly changes: readonly Change[];
}

/** Runs a command whole or not at all. */
export function execute(parts: Parts, request: Request): Outcome {
  try {
    const response = evaluate(parts, request);
    return { response, error: null, changes: parts.commit() };
  } catch (error) {
    // These say nothing about the command: the member stops and is rebuilt from its rows.
    if (error instanceof StorageError || error instanceof InvariantError) throw error;
    // A command that an evaluator cannot digest fails alike on every member.
    const told = error instanceof EtcdError ? error : EtcdError.of('internal');
    if (parts.bugs.has('apply-partial-txn')) {
      return { response: null, error: told, changes: parts.commit() };
    }
    parts.rollback();
    return { response: null, error: told, changes: [] };
  }
}

/** Answers a command, or throws; what it has changed is still to be kept or taken back. */
export function evaluate(parts: Parts, request: Request): Response {
  if (request.case === undefined) throw EtcdError.of('internal');
  // One evaluator for each case: the table is indexed by the case of the request it is given.
  const evaluator = EVALUATORS[request.case] as Evaluator<Case>;
  return evaluator(parts, request.value);
}

/** From now on reads below the revision are refused; rows go later. */
function evaluateCompaction(mvcc: Mvcc, { revision }: CompactionRequest): CompactionResponse {
  mvcc.compactTo(Number(revision));
  return create(CompactionResponseSchema);
}
