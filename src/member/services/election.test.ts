import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import type { EtcdError } from '../../api/error.ts';
import {
  CampaignRequestSchema,
  type CampaignResponse,
  type LeaderKey,
  LeaderKeySchema,
  LeaderRequestSchema,
  type LeaderResponse,
  ProclaimRequestSchema,
  ResignRequestSchema,
} from '../../api/gen/election_pb.ts';
import { limits } from '../../config.ts';
import { must } from '../../lib/assert.ts';
import { textOf, utf8 } from '../../lib/bytes.ts';
import { Contests } from './contests.ts';
import { electionService } from './election.ts';
import { observeElection } from './observe.ts';
import type { Route, StreamSink } from './service.ts';
import { Solo, settled } from './testing/solo.ts';

const CONTEXT: CallContext = { token: null, timeoutMs: null, requireLeader: false };
const NAME = utf8('E');
const NOT_LEADER = { code: 2, message: 'election: not leader' };

interface Campaign {
  leader: LeaderKey | null;
  revision: bigint | null;
  error: EtcdError | null;
}

describe('an election', () => {
  let member: Solo;
  let routes: readonly Route[];

  beforeEach(() => {
    member = new Solo();
    routes = electionService(member, new Contests(member));
    for (const lease of [1n, 2n]) member.single.grant(lease);
  });

  function begin(method: string, request: unknown, signal?: AbortSignal): Promise<unknown> {
    const route = routes.find(({ method: { name } }) => name === method);
    return must(route, 'no such method').serve(request as never, CONTEXT, signal);
  }

  async function serve(method: string, request: unknown): Promise<unknown> {
    const response = await begin(method, request);
    await settled();
    return response;
  }

  async function campaign(lease: bigint, value: string, signal?: AbortSignal): Promise<Campaign> {
    const call: Campaign = { leader: null, revision: null, error: null };
    const request = create(CampaignRequestSchema, { name: NAME, lease, value: utf8(value) });
    begin('Campaign', request, signal).then(
      (response) => {
        const { leader, header } = response as CampaignResponse;
        call.leader = must(leader, 'no leader');
        call.revision = must(header, 'no header').revision;
      },
      (error) => {
        call.error = error;
      },
    );
    await settled();
    return call;
  }

  const proclaim = (leader: LeaderKey | null, value: string) =>
    serve(
      'Proclaim',
      create(ProclaimRequestSchema, { ...(leader && { leader }), value: utf8(value) }),
    );
  const resign = (leader: LeaderKey | null) =>
    serve('Resign', create(ResignRequestSchema, leader ? { leader } : {}));
  const leader = async () => {
    const response = await serve('Leader', create(LeaderRequestSchema, { name: NAME }));
    return textOf(must((response as LeaderResponse).kv, 'no leader').value);
  };

  it('is won by the oldest candidate, then by the next', async () => {
    await expect(leader()).rejects.toMatchObject({ code: 2, message: 'election: no leader' });
    const first = await campaign(1n, 'one');
    const second = await campaign(2n, 'two');
    expect(first.leader).toMatchObject({ name: NAME, key: utf8('E/1'), rev: 2n, lease: 1n });
    expect(second.leader).toBeNull();
    expect(await leader()).toBe('one');
    await resign(first.leader);
    expect(second.leader).toMatchObject({ key: utf8('E/2'), rev: 3n, lease: 2n });
    // Of its candidacy, not of the moment it was won.
    expect(second.revision).toBe(3n);
    expect(await leader()).toBe('two');
  });

  it('lets the leader proclaim, and nobody who is not', async () => {
    const first = await campaign(1n, 'one');
    await proclaim(first.leader, 'more');
    expect(await leader()).toBe('more');
    const wrong = create(LeaderKeySchema, { ...must(first.leader, 'no leader'), rev: 9n });
    await expect(proclaim(wrong, 'x')).rejects.toMatchObject(NOT_LEADER);
    await resign(wrong);
    expect(await leader()).toBe('more');
    await resign(first.leader);
    await expect(proclaim(first.leader, 'x')).rejects.toMatchObject(NOT_LEADER);
    expect(member.keys()).toEqual([]);
  });

  it('takes a new value from who campaigns again', async () => {
    await campaign(1n, 'one');
    const again = await campaign(1n, 'uno');
    expect(again.leader?.rev).toBe(2n);
    expect(await leader()).toBe('uno');
  });

  it('needs to know which leader is meant', async () => {
    const missing = { code: 2, message: '"leader" field must be provided' };
    await expect(proclaim(null, 'x')).rejects.toMatchObject(missing);
    await expect(resign(null)).rejects.toMatchObject(missing);
  });

  it('is not won by a candidate whose lease has ended', async () => {
    await campaign(1n, 'one');
    const second = await campaign(2n, 'two');
    for (const ID of [2n, 1n]) {
      const value = { $typeName: 'etcdserverpb.LeaseRevokeRequest', ID } as const;
      member.apply({ case: 'leaseRevoke', value });
    }
    await settled();
    expect(second.leader).toBeNull();
    expect(second.error).toMatchObject(NOT_LEADER);
  });

  it('forgets a candidate that hangs up', async () => {
    await campaign(1n, 'one');
    const hungUp = new AbortController();
    const second = await campaign(2n, 'two', hungUp.signal);
    hungUp.abort();
    await settled();
    expect(second.error).toMatchObject({ code: 1 });
    expect(member.keys()).toEqual(['E/1=']);
  });

  describe('when observed', () => {
    const seen: string[] = [];
    let buffered = 0;
    let drained: (() => void) | null = null;
    let ended: EtcdError | undefined;
    const sink = {
      send: ({ kv, header }: LeaderResponse) => {
        seen.push(`${textOf(must(kv, 'no kv').value)} ${header?.revision}`);
      },
      end: (error?: EtcdError) => {
        ended = error;
      },
      get bufferedBytes() {
        return buffered;
      },
      drained: (callback: () => void) => {
        drained = callback;
      },
      changed: () => {},
    };

    async function observe() {
      seen.length = 0;
      buffered = 0;
      drained = null;
      const session = observeElection(member).open(sink as StreamSink<never>, CONTEXT);
      session.receive(create(LeaderRequestSchema, { name: NAME }) as never);
      session.halfClosed();
      await settled();
      return session;
    }

    it('tells who leads, and every change from then on', async () => {
      const session = await observe();
      expect(seen).toEqual([]);
      const first = await campaign(1n, 'one');
      const second = await campaign(2n, 'two');
      await proclaim(first.leader, 'more');
      await resign(first.leader);
      expect(seen).toEqual(['one 2', 'more 4', 'two 5']);
      await resign(second.leader);
      await campaign(1n, 'again');
      expect(seen.slice(3)).toEqual(['again 7']);
      session.closed();
      expect(member.watches.stats.watchers).toBe(0);
      expect(ended).toBeUndefined();
    });

    it('begins with the leader that there is', async () => {
      await campaign(1n, 'one');
      const session = await observe();
      expect(seen).toEqual(['one 2']);
      session.closed();
    });

    it('tells a slow reader the newest when it reads on', async () => {
      const first = await campaign(1n, 'one');
      const session = await observe();
      buffered = limits.streamHighWaterBytes + 1;
      for (let i = 0; i < 100; i++) await proclaim(first.leader, `value ${i}`);
      expect(seen).toEqual(['one 2']);
      buffered = 0;
      must(drained as (() => void) | null, 'it waits for the reader')();
      expect(seen).toEqual(['one 2', 'value 99 102']);
      session.closed();
    });
  });
});
