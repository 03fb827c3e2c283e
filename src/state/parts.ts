import { create } from '@bufbuild/protobuf';
import { type Caller, INTERNAL } from '../api/caller.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import {
  type CompactionRequest,
  type CompactionResponse,
  CompactionResponseSchema,
} from '../api/gen/rpc_pb.ts';
import { InvariantError } from '../lib/assert.ts';
import { Alarms, evaluateAlarm, refuseWhenCorrupt, refuseWhenFull } from './alarm.ts';
import {
  addRole,
  addUser,
  changePassword,
  deleteRole,
  deleteUser,
  grantPermission,
  grantRole,
  revokePermission,
  revokeRole,
} from './auth/admin.ts';
import { Auth } from './auth/auth.ts';
import { Authorizer } from './auth/authorizer.ts';
import { authorize } from './auth/command_rules.ts';
import { bootstrap, disable, enable } from './auth/enablement.ts';
import { login, type Place, renewToken } from './auth/login.ts';
import { Tokens } from './auth/tokens.ts';
import { ClusterVersion } from './cluster_version.ts';
import { StorageError } from './guarded_store.ts';
import { Journal } from './journal.ts';
import { expireLease, grantLease, Leases, revokeLease } from './lease.ts';
import { Members } from './member.ts';
import type { Meta } from './meta.ts';
import { type Change, Mvcc } from './mvcc.ts';
import { evaluateDeleteRange, evaluatePut } from './put.ts';
import type { Response } from './result.ts';
import type { StateStore } from './store.ts';
import { NO_SURROUNDINGS } from './surroundings.ts';
import { evaluateTxn, hasPut, isReadOnlyTxn } from './txn.ts';
import {
  deleteRole as deleteV2Role,
  deleteUser as deleteV2User,
  putRole,
  putUser,
  switchAuth,
} from './v2/accounts_admin.ts';
import { changeAllowed, expireNodes } from './v2/change.ts';
import { type V2Changes, V2Store } from './v2/store.ts';
import { validateDeleteRange, validateLeaseGrant, validatePut, validateTxn } from './validate.ts';

type Request = Command['request'];
type Case = NonNullable<Request['case']>;
type RequestOf<C extends Case> = Extract<Request, { case: C }>['value'];

/** Evaluates one kind of command: answers it, or throws an EtcdError and leaves nothing behind. */
type Evaluator<C extends Case> = (
  parts: Parts,
  request: RequestOf<C>,
  origin: CommandOrigin,
  index: number,
) => Response;

/** What an evaluation takes from the command around the request. */
type CommandOrigin = Caller & Pick<Command, 'timeMs'>;

/** Of a request that no command is around. */
const NO_ORIGIN: CommandOrigin = { ...INTERNAL, timeMs: 0n };

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
  readonly version: ClusterVersion;
  readonly auth: Auth;
  readonly tokens: Tokens;
  readonly authorizer: Authorizer;
  readonly v2: V2Store;
  readonly bugs: ReadonlySet<string>;

  constructor(
    store: StateStore,
    meta: Meta,
    bugs: ReadonlySet<string>,
    surroundings = NO_SURROUNDINGS,
  ) {
    this.bugs = bugs;
    this.mvcc = new Mvcc(store, this.journal, meta, bugs, surroundings);
    this.leases = new Leases(store, this.journal, bugs);
    this.alarms = new Alarms(store, this.journal);
    this.members = new Members(store, this.journal, meta.confIndex, bugs);
    this.version = new ClusterVersion(store, this.journal);
    this.auth = new Auth(store, this.journal);
    this.tokens = new Tokens(store, this.journal);
    this.authorizer = new Authorizer(this.auth, this.leases);
    this.v2 = new V2Store(store, this.journal, bugs);
  }

  /** The tables that are small: a snapshot captures them when it is opened. */
  get smallTables() {
    const { leases, alarms, members, version, auth, tokens } = this;
    return [leases.table, alarms.table, members.table, version.table, auth.table, tokens.table];
  }

  get unflushedBytes(): number {
    let bytes = this.mvcc.unflushedBytes + this.v2.table.dirtyBytes;
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
    this.v2.rollback();
    this.journal.rollback();
  }

  flush(): void {
    this.mvcc.flush();
    this.v2.flush();
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
  leaseExpire: ({ mvcc, leases, alarms }, request) => {
    refuseWhenCorrupt(alarms);
    return expireLease(leases, mvcc, request);
  },
  alarm: ({ alarms }, request) => evaluateAlarm(alarms, request),
  clusterVersionSet: ({ version }, request) => {
    version.agree(request);
    return {};
  },
  downgradeInfoSet: ({ version }, request) => {
    version.setDowngrade(request);
    return {};
  },
  memberPublish: ({ members }, request) => {
    members.publish(request);
    return {};
  },
  memberAdd: ({ members }, request) => {
    members.add(request);
    return {};
  },
  memberRemove: ({ members }, request) => {
    members.remove(request);
    return {};
  },
  memberPromote: ({ members }, request) => {
    members.promote(request);
    return {};
  },
  memberUpdate: ({ members }, request) => {
    members.update(request);
    return {};
  },
  authEnable: ({ auth }) => enable(auth),
  authDisable: ({ auth, tokens }) => disable(auth, tokens),
  authUserAdd: ({ auth }, request) => addUser(auth, request),
  authUserDelete: ({ auth, tokens }, request) => deleteUser(auth, tokens, request),
  authUserChangePassword: ({ auth, tokens }, request) => changePassword(auth, tokens, request),
  authUserGrantRole: ({ auth }, request) => grantRole(auth, request),
  authUserRevokeRole: ({ auth }, request) => revokeRole(auth, request),
  authRoleAdd: ({ auth }, request) => addRole(auth, request),
  authRoleDelete: ({ auth }, request) => deleteRole(auth, request),
  authRoleGrantPermission: ({ auth }, request) => grantPermission(auth, request),
  authRoleRevokePermission: ({ auth }, request) => revokePermission(auth, request),
  authLogin: ({ auth, tokens }, request, origin, index) =>
    login(auth, tokens, request, placeOf(origin, index)),
  authTokenRenew: ({ tokens }, request, origin, index) =>
    renewToken(tokens, request, placeOf(origin, index)),
  authTokensExpire: ({ tokens }, _request, { timeMs }) => {
    tokens.removeExpired(Number(timeMs));
    return {};
  },
  authBootstrap: ({ auth }, request) => bootstrap(auth, request),
  v2Change: ({ v2, alarms }, request, { timeMs }) => {
    refuseWhenCorrupt(alarms);
    if (request.value !== '') refuseWhenFull(alarms);
    return changeAllowed(v2, request, Number(timeMs));
  },
  v2Expire: ({ v2, alarms }, { countMax }, { timeMs }) => {
    refuseWhenCorrupt(alarms);
    expireNodes(v2, Number(timeMs), countMax);
    return {};
  },
  v2UserPut: ({ v2 }, request) => putUser(v2, request),
  v2UserDelete: ({ v2 }, request) => {
    deleteV2User(v2, request);
    return {};
  },
  v2RolePut: ({ v2 }, request) => putRole(v2, request),
  v2RoleDelete: ({ v2 }, request) => {
    deleteV2Role(v2, request);
    return {};
  },
  v2AuthSwitch: ({ v2 }, request) => {
    switchAuth(v2, request);
    return {};
  },
};

function placeOf({ timeMs }: CommandOrigin, index: number): Place {
  return { index, timeMs: Number(timeMs) };
}

/**
 * What became of a command: an answer or an error, and the changes of keys, all of one revision.
 */
export interface Outcome {
  readonly response: Response | null;
  readonly error: EtcdError | null;
  readonly changes: readonly Change[];
  /** Null: it did nothing to the tree of v2. */
  readonly v2: V2Changes | null;
}

/**
 * Runs a command whole or not at all.
 * @param origin who gives it; without: the member itself
 * @param index its place in the log
 */
export function execute(
  parts: Parts,
  request: Request,
  origin: CommandOrigin = NO_ORIGIN,
  index = 0,
): Outcome {
  try {
    const response = evaluate(parts, request, origin, index);
    return { response, error: null, changes: parts.commit(), v2: parts.v2.commit() };
  } catch (error) {
    // These say nothing about the command: the member stops and is rebuilt from its rows.
    if (error instanceof StorageError || error instanceof InvariantError) throw error;
    // A command that an evaluator cannot digest fails alike on every member.
    const told = error instanceof EtcdError ? error : EtcdError.of('internal');
    if (parts.bugs.has('apply-partial-txn')) {
      return { response: null, error: told, changes: parts.commit(), v2: parts.v2.commit() };
    }
    parts.rollback();
    return { response: null, error: told, changes: [], v2: null };
  }
}

/** Answers a command, or throws; what it has changed is still to be kept or taken back. */
export function evaluate(
  parts: Parts,
  request: Request,
  origin: CommandOrigin = NO_ORIGIN,
  index = 0,
): Response {
  if (request.case === undefined) throw EtcdError.of('internal');
  if (parts.auth.enabled) authorize(parts.authorizer, origin, request);
  // One evaluator for each case: the table is indexed by the case of the request it is given.
  const evaluator = EVALUATORS[request.case] as Evaluator<Case>;
  return evaluator(parts, request.value, origin, index);
}

/** From now on reads below the revision are refused; rows go later. */
function evaluateCompaction(mvcc: Mvcc, { revision }: CompactionRequest): CompactionResponse {
  mvcc.compactTo(Number(revision));
  return create(CompactionResponseSchema);
}
