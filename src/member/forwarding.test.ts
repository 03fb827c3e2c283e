import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { CallContext } from '../api/call.ts';
import { Code, ERRORS } from '../api/error.ts';
import {
  Cluster,
  KV,
  Lease,
  LeaseTimeToLiveRequestSchema,
  LeaseTimeToLiveResponseSchema,
  MemberListRequestSchema,
  MemberRemoveRequestSchema,
  MemberRemoveResponseSchema,
  RangeRequestSchema,
} from '../api/gen/rpc_pb.ts';
import { Guarded } from '../state/testing/auth.ts';
import type { FrameBody, FrameReply } from '../transport/frame.ts';
import { Access } from './auth/access.ts';
import type { Authentication } from './auth/authentication.ts';
import { Forwarding } from './forwarding.ts';
import { unary } from './services/service.ts';

const NOBODY: CallContext = { token: null, timeoutMs: null, requireLeader: false };
const PEER = { clusterId: 'c', memberId: 'm2', databaseId: 'd' };
const told = (name: keyof typeof ERRORS): string => ERRORS[name][1];

/** A leader with users ann and root, and what it was asked. */
function leader() {
  const member = new Guarded();
  member.enable({ ann: [] });
  const access = new Access({
    machine: () => member.machine,
    wallClockMs: () => 0,
    open: true,
    ttlMs: 1000,
    signed: null,
    linearizable: async () => {},
    renew: () => {},
  });
  const callers: string[] = [];
  const note = (context: CallContext) => callers.push(access.caller(context).username);
  const routes = [
    unary(Lease.method.leaseTimeToLive, async ({ ID }, context) => {
      note(context);
      return create(LeaseTimeToLiveResponseSchema, { ID, TTL: 7n });
    }),
    unary(Cluster.method.memberRemove, async (_request, context) => {
      note(context);
      return create(MemberRemoveResponseSchema);
    }),
    unary(KV.method.range, async () => {
      throw new Error('must not be asked');
    }),
  ];
  const sent: FrameBody[] = [];
  const forwarding: Forwarding = new Forwarding({
    machine: () => member.machine,
    authentication: { access } as unknown as Authentication,
    routes: new Map(
      routes.map((route) => [`${route.method.parent.typeName}/${route.method.name}`, route]),
    ),
    otherLeader: () => 'm1',
    isLeading: () => true,
    exchange: async (_to, body): Promise<FrameReply> => {
      sent.push(body);
      const call = body.kind === 'call' ? await forwarding.answer({ sender: PEER, body }) : null;
      return { sender: PEER, status: 'ok', reason: '', messages: [], call };
    },
    header: () => ({
      $typeName: 'etcdserverpb.ResponseHeader',
      clusterId: 1n,
      memberId: 2n,
      revision: 3n,
      raftTerm: 4n,
    }),
    linearizable: async () => {},
    answerPeer: () => null,
  });
  const ask = (path: string, request: Uint8Array, username: string, authRevision: number) =>
    forwarding.answer({
      sender: PEER,
      body: { kind: 'call', path, request, caller: { username, authRevision } },
    });
  return { member, access, forwarding, callers, sent, ask };
}

const timeToLive = toBinary(
  LeaseTimeToLiveRequestSchema,
  create(LeaseTimeToLiveRequestSchema, { ID: 9n }),
);
const TTL = 'etcdserverpb.Lease/LeaseTimeToLive';

describe('a call of another member', () => {
  it('is answered in the name of its client', async () => {
    const { member, callers, ask } = leader();
    const result = await ask(TTL, timeToLive, 'ann', member.machine.auth.revision);
    expect(result && 'response' in result).toBe(true);
    if (result && 'response' in result) {
      expect(fromBinary(LeaseTimeToLiveResponseSchema, result.response).TTL).toBe(7n);
    }
    expect(callers).toEqual(['ann']);
  });

  it('is refused where the client would be', async () => {
    const { member, callers, ask } = leader();
    const { revision } = member.machine.auth;
    const remove = toBinary(MemberRemoveRequestSchema, create(MemberRemoveRequestSchema));
    const REMOVE = 'etcdserverpb.Cluster/MemberRemove';
    for (const [path, request, name, at, error] of [
      [TTL, timeToLive, '', 0, 'userEmpty'],
      [TTL, timeToLive, 'ann', revision - 1, 'authOldRevision'],
      [TTL, timeToLive, 'ghost', revision, 'permissionDenied'],
      [REMOVE, remove, 'ann', revision, 'permissionDenied'],
    ] as const) {
      expect(await ask(path, request, name, at)).toMatchObject({ message: told(error) });
    }
    expect(callers).toEqual([]);
    await ask(REMOVE, remove, 'root', revision);
    expect(callers).toEqual(['root']);
  });

  it('is about nothing but what only a leader knows', async () => {
    const { member, ask } = leader();
    const { revision } = member.machine.auth;
    const range = toBinary(RangeRequestSchema, create(RangeRequestSchema));
    const list = toBinary(MemberListRequestSchema, create(MemberListRequestSchema));
    for (const [path, request] of [
      ['etcdserverpb.KV/Range', range],
      ['etcdserverpb.Cluster/MemberList', list],
      ['toString', range],
    ] as const) {
      expect(await ask(path, request, 'root', revision)).toMatchObject({ code: Code.internal });
    }
  });
});

describe('asking the leader', () => {
  it('says who asks, and answers for the member that was asked', async () => {
    const { member, access, forwarding, callers, sent } = leader();
    const { revision } = member.machine.auth;
    const context = access.vouched(NOBODY, 'ann', revision);
    const request = create(LeaseTimeToLiveRequestSchema, { ID: 9n });
    const response = await forwarding.ask(Lease.method.leaseTimeToLive, request, context);
    expect(response).toMatchObject({ ID: 9n, TTL: 7n, header: { memberId: 2n } });
    expect(callers).toEqual(['ann']);
    expect(sent).toMatchObject([{ caller: { username: 'ann', authRevision: revision } }]);
  });

  it('tells the error of the leader', async () => {
    const { member, access, forwarding } = leader();
    const context = access.vouched(NOBODY, 'ghost', member.machine.auth.revision);
    const request = create(LeaseTimeToLiveRequestSchema, { ID: 9n });
    const asked = forwarding.ask(Lease.method.leaseTimeToLive, request, context);
    await expect(asked).rejects.toMatchObject({
      code: Code.permissionDenied,
      message: told('permissionDenied'),
    });
  });
});
