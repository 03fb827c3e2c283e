import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Caller } from '../../api/caller.ts';
import { ERRORS } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import type { KeyValue } from '../../api/gen/kv_pb.ts';
import type { RequestOp, TxnRequest } from '../../api/gen/rpc_pb.ts';
import { mapKey, utf8 } from '../../lib/bytes.ts';
import { StateMachine } from '../machine.ts';
import { MemoryStateStore } from '../memory_store.ts';
import type { ApplyResult } from '../result.ts';
import { auth, Guarded, READ, READWRITE, refusalOf, WRITE } from '../testing/auth.ts';
import { deleteRange, ops, put, range, txn } from '../testing/single.ts';
import { isReadOnlyTxn } from '../txn.ts';

/**
 * Random users, roles, leases and requests beside an oracle that knows grants as a list and looks
 * at one key at a time. What is refused and what is not must be exactly what the oracle says; and
 * nothing that is told or changed may be about a key that the caller has nothing to do with.
 */

interface Grant {
  readonly type: typeof READ | typeof WRITE | typeof READWRITE;
  readonly key: string;
  readonly end: string;
}

type Access = 'read' | 'write';
type Reach = readonly [key: string, end: string];

class Oracle {
  readonly #grants: readonly Grant[];
  readonly #isRoot: boolean;
  /** Where what is allowed may change: it is the same from one of them up to the next. */
  readonly #edges: readonly string[];

  constructor(grants: readonly Grant[], isRoot: boolean) {
    this.#grants = grants;
    this.#isRoot = isRoot;
    this.#edges = grants.flatMap(({ key, end }) => [key, end === '' ? `${key}\0` : end]);
  }

  allowsKey(access: Access, key: string): boolean {
    const other = access === 'read' ? WRITE : READ;
    const reaches = (grant: Grant) => isIn(key, [grant.key, grant.end]);
    return this.#isRoot || this.#grants.some((grant) => grant.type !== other && reaches(grant));
  }

  allows(access: Access, reach: Reach): boolean {
    if (this.#isRoot) return true;
    const [start, end] = reach;
    if (end !== '' && end !== '\0' && end <= start) return false;
    const pieces =
      end === '' ? [start] : [start, ...this.#edges.filter((edge) => isIn(edge, reach))];
    return pieces.every((key) => this.allowsKey(access, key));
  }
}

function isIn(key: string, [start, end]: Reach): boolean {
  if (end === '') return key === start;
  return key >= start && (end === '\0' || key < end);
}

const LEASES = [1n, 2n, 3n] as const;

/** Whether the oracle allows a request, given what hangs on each lease. */
function permits(oracle: Oracle, request: Command['request'], keysOf: (id: bigint) => string[]) {
  const reachOf = (of: { key: Uint8Array; rangeEnd: Uint8Array }): Reach => [
    mapKey(of.key),
    mapKey(of.rangeEnd),
  ];
  const op = (each: RequestOp['request']): boolean => {
    switch (each.case) {
      case 'requestRange':
        return oracle.allows('read', reachOf(each.value));
      case 'requestPut': {
        const { key, lease, prevKv } = each.value;
        const attached = lease === 0n ? [] : keysOf(lease);
        const written = [mapKey(key), ...attached];
        const reads = !prevKv || oracle.allowsKey('read', mapKey(key));
        return reads && written.every((one) => oracle.allowsKey('write', one));
      }
      case 'requestDeleteRange': {
        const reach = reachOf(each.value);
        return (
          oracle.allows('write', reach) && (!each.value.prevKv || oracle.allows('read', reach))
        );
      }
      case 'requestTxn':
        return (
          each.value.compare.every((one) => oracle.allows('read', reachOf(one))) &&
          [...each.value.success, ...each.value.failure].every((one) => op(one.request))
        );
      case undefined:
        return true;
    }
  };
  switch (request.case) {
    case 'put':
      return op({ case: 'requestPut', value: request.value });
    case 'deleteRange':
      return op({ case: 'requestDeleteRange', value: request.value });
    case 'txn':
      return op({ case: 'requestTxn', value: request.value });
    case 'leaseRevoke':
      return keysOf(request.value.ID).every((key) => oracle.allowsKey('write', key));
    default:
      throw new Error(`the oracle does not know ${request.case}`);
  }
}

const LETTERS = ['a', 'b', 'c', 'd'];
const KEYS = [...LETTERS, ...LETTERS.flatMap((x) => [`${x}\0`, ...LETTERS.map((y) => x + y)])];

const key = fc.constantFrom(...KEYS);
const end = fc.oneof(fc.constant(''), fc.constant('\0'), key);
const grant: fc.Arbitrary<Grant> = fc
  .record({ type: fc.constantFrom(READ, WRITE, READWRITE), key, end })
  .filter(({ key: start, end: stop }) => stop === '' || stop === '\0' || stop > start);
const lease = fc.constantFrom(0n, 0n, ...LEASES);
const anyPut = fc.tuple(key, fc.boolean(), lease);
const anyReach = fc.tuple(key, end);

const leafOp: fc.Arbitrary<RequestOp> = fc.oneof(
  anyPut.map(([of, prevKv, id]) => ops.put(of, 'v', { prevKv, lease: id })),
  fc.tuple(anyReach, fc.boolean()).map(([[of, to], prevKv]) => ops.delete(of, to, prevKv)),
  fc
    .tuple(anyReach, fc.boolean(), fc.boolean())
    .map(([[of, to], keysOnly, countOnly]) => ops.range(of, to, { keysOnly, countOnly })),
);
const compare = anyReach.map(([of, to]) => ({
  key: utf8(of),
  rangeEnd: utf8(to),
  target: 0,
  result: 1,
  targetUnion: { case: 'version' as const, value: 0n },
}));
const { anyTxn } = fc.letrec<{ anyTxn: TxnRequest; op: RequestOp }>((tie) => ({
  anyTxn: fc
    .record({
      compare: fc.array(compare, { maxLength: 2 }),
      success: fc.array(tie('op'), { maxLength: 2 }),
      failure: fc.array(tie('op'), { maxLength: 2 }),
    })
    .map((fields) => txn(fields)),
  op: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leafOp,
    tie('anyTxn').map((fields) => ops.txn(fields)),
  ),
}));
const request: fc.Arbitrary<Command['request']> = fc.oneof(
  anyPut.map(([of, prevKv, id]) => ({ case: 'put', value: put(of, 'v', { prevKv, lease: id }) })),
  fc
    .tuple(anyReach, fc.boolean())
    .map(([[of, to], prevKv]) => ({ case: 'deleteRange', value: deleteRange(of, to, prevKv) })),
  { weight: 3, arbitrary: anyTxn.map((value) => ({ case: 'txn', value })) },
  fc.constantFrom(...LEASES).map((ID) => ({
    case: 'leaseRevoke',
    value: { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID },
  })),
) as fc.Arbitrary<Command['request']>;

const setting = fc.record({
  /** Of each of three roles. */
  roles: fc.array(fc.array(grant, { maxLength: 3 }), { minLength: 3, maxLength: 3 }),
  /** The roles of each of two users. */
  users: fc.array(fc.subarray([0, 1, 2]), { minLength: 2, maxLength: 2 }),
  held: fc.array(fc.tuple(key, lease), { maxLength: 8 }),
  steps: fc.array(
    fc.record({ who: fc.constantFrom('u0', 'u1', 'root', 'ghost', ''), stale: fc.nat(9), request }),
    { maxLength: 12 },
  ),
  asked: anyReach,
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

/** A member as the setting has it, and who may do what there. */
function prepared({ roles, users, held }: Setting) {
  const member = new Guarded();
  const give = (one: Command['request']) => member.give(one);
  for (const [i, grants] of roles.entries()) {
    give(auth.addRole(`r${i}`));
    for (const { type, key: of, end: to } of grants) give(auth.allow(`r${i}`, type, of, to));
  }
  for (const [i, granted] of users.entries()) {
    give(auth.addUser(`u${i}`));
    for (const role of granted) give(auth.grantRole(`u${i}`, `r${role}`));
  }
  for (const ID of LEASES) {
    give({
      case: 'leaseGrant',
      value: { $typeName: 'etcdserverpb.LeaseGrantRequest', ID, TTL: 9n },
    });
  }
  for (const [of, id] of held) give({ case: 'put', value: put(of, 'held', { lease: id }) });
  member.enable({});
  // A later permission on the same range takes the place of the one before it.
  const effective = roles.map((grants) => {
    const byRange = new Map(grants.map((one) => [`${one.key}/${one.end}`, one]));
    return [...byRange.values()];
  });
  const oracleOf = (who: string) => {
    const granted = users[Number(who.slice(1))] ?? [];
    const isUser = /^u\d$/.test(who);
    return new Oracle(
      isUser ? granted.flatMap((role) => effective[role] ?? []) : [],
      who === 'root',
    );
  };
  return { member, oracleOf };
}

/** Every key with a value, however deep in an answer. */
function* keyValuesIn(value: unknown): Generator<KeyValue> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return;
  if ('$typeName' in value && value.$typeName === 'mvccpb.KeyValue') yield value as KeyValue;
  for (const part of Object.values(value)) yield* keyValuesIn(part);
}

function expectNoLeak({ response, error, events }: ApplyResult, oracle: Oracle): void {
  if (error) {
    expect(response).toBeNull();
    expect(events).toEqual([]);
  }
  for (const found of keyValuesIn(response)) {
    expect(oracle.allowsKey('read', mapKey(found.key))).toBe(true);
  }
  for (const { kv } of events) {
    expect(kv && oracle.allowsKey('write', mapKey(kv.key))).toBe(true);
  }
}

const DENIED = ERRORS.permissionDenied[1];

/** What the caller must be told: null, if nothing is wrong with its permission. */
function verdict({ username, authRevision }: Caller, revision: number, permitted: boolean) {
  if (username === '') return ERRORS.userEmpty[1];
  if (authRevision < BigInt(revision)) return ERRORS.authOldRevision[1];
  return username === 'ghost' || !permitted ? DENIED : null;
}

const AUTH_ERRORS: ReadonlySet<string | null> = new Set<string | null>([
  ERRORS.userEmpty[1],
  ERRORS.authOldRevision[1],
  DENIED,
]);

describe('permissions beside an oracle', () => {
  it('decide exactly as it does, and nothing leaks', () => {
    const seen = { refused: 0, done: 0 };
    fc.assert(
      fc.property(setting, (given) => {
        const { member, oracleOf } = prepared(given);
        for (const { who, stale, request: asked } of given.steps) {
          const { machine } = member;
          const keysOf = (id: bigint) =>
            (machine.leaseTimeToLive(id, true, member.as('root'))?.keys ?? []).map(mapKey);
          const oracle = oracleOf(who);
          const caller = {
            ...member.as(who),
            authRevision: member.as(who).authRevision - staleBy(stale),
          };
          const permitted = permits(oracle, asked, keysOf);
          const before = machine.hashKv(0);
          const result = member.give(asked, caller);
          const refusal = result.error?.message ?? null;
          const expected = verdict(caller, machine.auth.revision, permitted);
          if (expected !== null) expect(refusal).toBe(expected);
          else expect(AUTH_ERRORS.has(refusal)).toBe(false);
          if (refusal !== null) expect(machine.hashKv(0)).toEqual(before);
          expectNoLeak(result, oracle);
          seen[refusal === null ? 'done' : 'refused']++;
        }
      }),
      { numRuns: 1_500, seed: 11 },
    );
    expect(Math.min(seen.refused, seen.done)).toBeGreaterThan(1_000);
  });

  it('hold for reads, for watches, and for the keys of leases', () => {
    fc.assert(
      fc.property(setting, anyTxn.filter(isReadOnlyTxn), (given, reading) => {
        const { member, oracleOf } = prepared(given);
        const { machine } = member;
        const [of, to] = given.asked;
        for (const who of ['u0', 'u1', 'root', 'ghost', '']) {
          const oracle = oracleOf(who);
          const caller = member.as(who);
          const expected = (permitted: boolean) =>
            verdict(caller, machine.auth.revision, permitted);
          const mayRead = expected(oracle.allows('read', [of, to]));
          expect(refusalOf(() => machine.range(range(of, to), caller))).toBe(mayRead);
          expect(refusalOf(() => machine.authorizer.checkRead(caller, utf8(of), utf8(to)))).toBe(
            mayRead,
          );
          if (mayRead === null) {
            for (const found of machine.range(range(of, to), caller).kvs) {
              expect(oracle.allowsKey('read', mapKey(found.key))).toBe(true);
            }
            // Of a watch: whatever key may come, if it is in the range it may be read.
            for (const one of KEYS) {
              if (isIn(one, [of, to])) expect(oracle.allowsKey('read', one)).toBe(true);
            }
          }
          const mayCompare = expected(permits(oracle, { case: 'txn', value: reading }, () => []));
          expect(refusalOf(() => machine.readTxn(reading, caller))).toBe(mayCompare);
          for (const id of LEASES) {
            const keys = machine.leaseTimeToLive(id, true, member.as('root'))?.keys ?? [];
            const mayKnow = keys.every((one) => oracle.allowsKey('read', mapKey(one)));
            expect(refusalOf(() => machine.leaseTimeToLive(id, true, caller))).toBe(
              expected(mayKnow),
            );
            const mayEnd = keys.every((one) => oracle.allowsKey('write', mapKey(one)));
            expect(refusalOf(() => machine.authorizer.checkLeaseKeys(caller, id, 'write'))).toBe(
              expected(mayEnd),
            );
          }
        }
      }),
      { numRuns: 500, seed: 13 },
    );
  });
});

/** One of ten callers comes with what was true before the last change. */
function staleBy(chance: number): bigint {
  return chance === 0 ? 1n : 0n;
}

/** A change of users that is nobody's, between requests. */
const change: fc.Arbitrary<Command['request']> = fc.oneof(
  fc
    .tuple(fc.constantFrom('r0', 'r1', 'r2'), grant)
    .map(([role, one]) => auth.allow(role, one.type, one.key, one.end)),
  fc
    .tuple(fc.constantFrom('u0', 'u1'), fc.constantFrom('r0', 'r1', 'r2'))
    .map(([name, role]) => auth.grantRole(name, role)),
  fc
    .tuple(fc.constantFrom('u0', 'u1'), fc.constantFrom('r0', 'r1', 'r2'))
    .map(([name, role]) => auth.revokeRole(name, role)),
);

describe('the same log', () => {
  it('comes to the same end, whatever a member has asked, kept or forgotten meanwhile', () => {
    const more = fc.array(fc.tuple(change, fc.boolean(), fc.boolean()), { maxLength: 12 });
    fc.assert(
      fc.property(setting, more, (given, changes) => {
        const { member } = prepared(given);
        const other = new MemoryStateStore();
        let twin = new StateMachine(other);
        const log = member.log;
        const follow = () => {
          for (const entry of log.slice(twin.appliedIndex)) twin.apply(entry);
        };
        for (const [i, { who, request: asked }] of given.steps.entries()) {
          const [changed, forgets, asks] = changes[i] ?? [auth.addRole('x'), false, true];
          member.give(changed);
          if (asks) refusalOf(() => member.machine.range(range('a', '\0'), member.as(who)));
          member.give(asked, member.as(who));
          follow();
          if (!forgets) continue;
          twin.flush();
          twin = new StateMachine(other);
        }
        follow();
        expect(twin.chain).toBe(member.machine.chain);
        expect([...twin.auth.users()]).toEqual([...member.machine.auth.users()]);
        expect(twin.auth.revision).toBe(member.machine.auth.revision);
        expect(twin.hashKv(0)).toEqual(member.machine.hashKv(0));
      }),
      { numRuns: 300, seed: 17 },
    );
  });
});
