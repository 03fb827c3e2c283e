import { describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { ERRORS } from '../../api/error.ts';
import { auth, Guarded, READ, refusalOf } from '../../state/testing/auth.ts';
import { Access, type AccessHost } from './access.ts';
import type { SignedTokens } from './signed_tokens.ts';

const KV = 'etcdserverpb.KV';
const MAINTENANCE = 'etcdserverpb.Maintenance';
const told = (name: keyof typeof ERRORS): string => ERRORS[name][1];
const withToken = (token: string | null): CallContext => ({
  token,
  timeoutMs: null,
  requireLeader: false,
});

/** A member with the user ann, and what its access asks of it. */
function setUp(options: Partial<AccessHost> = {}) {
  const member = new Guarded();
  const clock = { nowMs: 0 };
  const renewed: (() => void)[] = [];
  const barriers: (() => void)[] = [];
  const access = new Access({
    machine: () => member.machine,
    wallClockMs: () => clock.nowMs,
    open: true,
    ttlMs: 1000,
    signed: null,
    linearizable: async () => {
      for (const barrier of barriers) barrier();
    },
    renew: (_digest, done) => renewed.push(done),
    ...options,
  });
  const enable = () => member.enable({ ann: [['r', READ, 'a', 'z']] });
  /** Gives a token out, as another member may do: it is known when the entry is applied. */
  const issue = async (name = 'ann', apply: (work: () => void) => void = (work) => work()) => {
    const letters = access.simple.draw();
    const tokenDigest = await access.simple.digest(letters);
    const passwordRevision = BigInt(member.machine.auth.user(name)?.passwordRevision ?? 0);
    const index = member.machine.appliedIndex + 1;
    const request = auth.login({ name, passwordRevision, tokenDigest, ttlMs: 1000n });
    apply(() => member.give(request, undefined, clock.nowMs));
    return `${letters}.${index}`;
  };
  const callerOf = async (token: string | null) =>
    access.caller(await access.admit(KV, 'Range', withToken(token)));
  return { member, access, clock, renewed, barriers, enable, issue, callerOf };
}

describe('with authentication off', () => {
  it('everyone is served, whatever the token', async () => {
    const { access, callerOf } = setUp();
    const context = withToken('nonsense');
    expect(access.admit(KV, 'Range', context)).toBe(context);
    expect(await callerOf('nonsense')).toMatchObject({ username: '', internal: false });
  });

  it('nobody is served where that was not asked for', () => {
    const { access } = setUp({ open: false });
    for (const name of ['Range', 'Put']) {
      expect(refusalOf(() => access.admit(KV, name, withToken(null)))).toBe(told('closed'));
    }
    const logIn = () => access.admit('etcdserverpb.Auth', 'Authenticate', withToken(null));
    expect(refusalOf(logIn)).toBe(told('closed'));
  });

  it('a token that came before it was enabled is asked for again', async () => {
    const { access, enable } = setUp();
    const early = await access.admit(KV, 'Range', withToken('x.1'));
    const without = await access.admit(KV, 'Range', withToken(null));
    enable();
    expect(refusalOf(() => access.caller(early))).toBe(told('authOldRevision'));
    expect(access.caller(without).username).toBe('');
  });
});

describe('a simple token', () => {
  it('stands for its user', async () => {
    const { member, enable, issue, callerOf } = setUp({ open: false });
    enable();
    const token = await issue();
    expect(token).toMatch(/^[A-Za-z]{16}\.\d+$/);
    expect(await callerOf(token)).toEqual(member.as('ann'));
    // The second time there is nothing to wait for.
    expect(await callerOf(token)).toEqual(member.as('ann'));
  });

  it('is good at a member that has not heard of it yet', async () => {
    const { member, enable, issue, barriers, callerOf } = setUp();
    enable();
    const token = await issue('ann', (work) => barriers.push(work));
    expect(await callerOf(token)).toEqual(member.as('ann'));
  });

  it.each([
    '',
    'x',
    'Bearer x',
    'abcdefghijklmnop',
    'abcdefghijklmnop.1',
    'abcdefghijklmnop.99999999999',
    'x'.repeat(10_000),
  ])('is not %s', async (token) => {
    const { enable, callerOf } = setUp();
    enable();
    await expect(callerOf(token)).rejects.toThrow(told('invalidAuthToken'));
  });

  it('is its whole text', async () => {
    const { enable, issue, callerOf } = setUp();
    enable();
    const token = await issue();
    await callerOf(token);
    const [letters = '', index = ''] = token.split('.');
    for (const other of [`${letters}.${Number(index) + 1}`, `${letters.toLowerCase()}.${index}`]) {
      await expect(callerOf(other)).rejects.toThrow(told('invalidAuthToken'));
    }
  });

  it('ends when it was not used for its time, and lives on in use', async () => {
    const { member, access, clock, renewed, enable, issue } = setUp();
    enable();
    const context = await access.admit(KV, 'Range', withToken(await issue()));
    clock.nowMs = 400;
    access.caller(context);
    expect(renewed).toHaveLength(0);
    clock.nowMs = 600;
    access.caller(context);
    access.caller(context);
    expect(renewed).toHaveLength(1);
    for (const done of renewed) done();
    access.caller(context);
    expect(renewed).toHaveLength(2);
    clock.nowMs = 1001;
    expect(refusalOf(() => access.caller(context))).toBe(told('invalidAuthToken'));
    expect(member.machine.tokens.isEmpty).toBe(false);
  });

  it('ends at once when its user is deleted', async () => {
    const { member, access, enable, issue } = setUp();
    enable();
    const context = await access.admit(KV, 'Range', withToken(await issue()));
    expect(access.caller(context).username).toBe('ann');
    member.give(auth.deleteUser('ann'));
    expect(refusalOf(() => access.caller(context))).toBe(told('invalidAuthToken'));
  });

  it('is as new as the last change of users', async () => {
    const { member, access, enable, issue } = setUp();
    enable();
    const context = await access.admit(KV, 'Range', withToken(await issue()));
    member.give(auth.addRole('more'));
    expect(access.caller(context)).toEqual(member.as('ann'));
    expect(access.canRefresh(context)).toBe(true);
  });
});

describe('a signed token', () => {
  it('is checked once, and is as old as it says', async () => {
    let checks = 0;
    const signed = {
      verify: async (token: string) => {
        checks++;
        if (token !== 'good') return null;
        return { username: 'ann', authRevision: 3n, expiresMs: 500 };
      },
    } as unknown as SignedTokens;
    const { access, clock, enable, callerOf } = setUp({ signed });
    enable();
    for (let i = 0; i < 3; i++) {
      expect(await callerOf('good')).toMatchObject({ username: 'ann', authRevision: 3n });
    }
    expect(checks).toBe(1);
    await expect(callerOf('bad')).rejects.toThrow(told('invalidAuthToken'));
    const context = await access.admit(KV, 'Range', withToken('good'));
    expect(access.canRefresh(context)).toBe(false);
    clock.nowMs = 500;
    await expect(callerOf('good')).rejects.toThrow(told('invalidAuthToken'));
  });
});

describe('the rule of a method', () => {
  const cases = [
    ['etcdserverpb.Cluster', 'MemberList', 'userEmpty', null],
    ['etcdserverpb.Cluster', 'MemberAdd', 'userEmpty', 'permissionDenied'],
    ['etcdserverpb.Lease', 'LeaseGrant', 'userEmpty', null],
    [KV, 'Compact', 'userEmpty', 'permissionDenied'],
    [MAINTENANCE, 'Status', 'userEmpty', null],
    [MAINTENANCE, 'MoveLeader', 'userEmpty', 'permissionDenied'],
    [MAINTENANCE, 'Snapshot', 'maintenanceUserEmpty', 'maintenancePermissionDenied'],
    [MAINTENANCE, 'Defragment', 'maintenanceUserEmpty', 'maintenancePermissionDenied'],
    ['etcdserverpb.Auth', 'Authenticate', null, null],
    ['etcdserverpb.Auth', 'AuthStatus', 'userEmpty', 'permissionDenied'],
    ['etcdserverpb.Auth', 'UserGet', 'userEmpty', null],
  ] as const;

  it.each(cases)('%s/%s', async (service, name, nobody, user) => {
    const { access, enable, issue } = setUp();
    enable();
    const answer = async (token: string | null) => {
      try {
        await access.admit(service, name, withToken(token));
        return null;
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    expect(await answer(null)).toBe(nobody && told(nobody));
    expect(await answer(await issue())).toBe(user && told(user));
    expect(await answer(await issue('root'))).toBeNull();
  });

  it('leaves to methods on keys how they refuse', async () => {
    const { access, enable } = setUp();
    enable();
    const context = await access.admit('etcdserverpb.Watch', 'Watch', withToken('x'));
    expect(refusalOf(() => access.caller(context))).toBe(told('invalidAuthToken'));
  });
});
