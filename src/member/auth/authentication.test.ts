import { describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { ERRORS, EtcdError } from '../../api/error.ts';
import type { Command } from '../../api/gen/command_pb.ts';
import { auth, Guarded } from '../../state/testing/auth.ts';
import { Authentication } from './authentication.ts';
import { Passwords } from './passwords.ts';
import { SignedTokens } from './signed_tokens.ts';

const CONTEXT: CallContext = { token: null, timeoutMs: null, requireLeader: false };
const NOW = 1_700_000_000_000;
const told = (name: keyof typeof ERRORS): string => ERRORS[name][1];

interface SetUp {
  readonly iterations?: number;
  readonly signed?: SignedTokens;
  readonly rootPassword?: string;
}

/** A member that is a cluster by itself: what it proposes is applied at once, if it may. */
async function setUp({ iterations = 1_000, signed, rootPassword }: SetUp = {}) {
  const member = new Guarded();
  const passwords = new Passwords(iterations);
  const timers: { callback: () => void; ms: number }[] = [];
  const state = { leading: true, reachable: true, nowMs: NOW };
  const proposed: Command['request'][] = [];
  /** Happens while a password is checked. */
  const meanwhile: (() => void)[] = [];
  const propose = (request: Command['request']) => {
    if (!state.reachable) throw EtcdError.of('timeout');
    proposed.push(request);
    const result = member.give(request, undefined, state.nowMs);
    authentication.applied(result);
    if (result.error) throw result.error;
    return result;
  };
  const settings = {
    tokens: { kind: 'simple', ttlMs: 300_000 } as const,
    rootPassword: rootPassword ?? null,
    open: true,
  };
  const host = {
    machine: () => member.machine,
    isLeading: () => state.leading,
    wallClockMs: () => state.nowMs,
    setTimer: (callback: () => void, ms: number) => void timers.push({ callback, ms }),
    log: () => {},
    linearizable: async () => meanwhile.shift()?.(),
    proposeOwn: async (request: Command['request']) => propose(request),
    proposeAsLeader: (request: Command['request'], done: (ok: boolean) => void) => {
      try {
        propose(request);
        done(true);
      } catch {
        done(false);
      }
    },
  };
  const authentication = new Authentication(settings, signed ?? null, host, passwords);
  const add = async (name: string, password: string, noPassword = false) =>
    member.give(auth.addUser(name, await passwords.hash(password), noPassword));
  const logIn = async (name: string, password: string) =>
    authentication.logIn(name, password, CONTEXT);
  return { member, authentication, state, timers, proposed, meanwhile, add, logIn, passwords };
}

describe('a login', () => {
  it('gives a token that is good', async () => {
    const { member, authentication, add, logIn } = await setUp();
    await add('ann', 'secret');
    member.enable({});
    const token = await logIn('ann', 'secret');
    expect(token).toBe(`${token.slice(0, 16)}.${member.machine.appliedIndex}`);
    const { access } = authentication;
    const context = await access.admit('etcdserverpb.KV', 'Range', { ...CONTEXT, token });
    expect(access.caller(context)).toEqual(member.as('ann'));
  });

  it('leaves neither password nor token behind', async () => {
    const { member, add, logIn } = await setUp();
    await add('ann', 'secret');
    member.enable({});
    const token = await logIn('ann', 'secret');
    member.machine.flush();
    const chunks = member.snapshotChunks();
    const bytes = [...chunks, ...member.log.map(({ data }) => data)].map((part) =>
      Buffer.from(part).toString('latin1'),
    );
    expect(bytes.some((text) => text.includes('ann'))).toBe(true);
    for (const secret of ['secret', token.slice(0, 16)]) {
      expect(bytes.some((text) => text.includes(secret))).toBe(false);
    }
  });

  it('says the same of a wrong name and of a wrong password', async () => {
    const { member, add, logIn } = await setUp();
    await add('ann', 'secret');
    member.enable({});
    for (const [name, password] of [
      ['ann', 'wrong'],
      ['ann', ''],
      ['nobody', 'secret'],
      ['', ''],
    ] as const) {
      await expect(logIn(name, password)).rejects.toThrow(told('authFailed'));
    }
  });

  it('is nothing while authentication is off, or without a password', async () => {
    const { member, add, logIn } = await setUp();
    await add('ann', 'secret', true);
    await expect(logIn('ann', 'secret')).rejects.toThrow(told('authNotEnabled'));
    member.enable({});
    await expect(logIn('ann', 'secret')).rejects.toThrow(told('noPasswordUser'));
  });

  it('sees users that were made before it', async () => {
    const { member, meanwhile, passwords, logIn } = await setUp();
    member.enable({});
    const hash = await passwords.hash('secret');
    meanwhile.push(() => member.give(auth.addUser('ann', hash)));
    expect(await logIn('ann', 'secret')).toMatch(/^[A-Za-z]{16}\.\d+$/);
  });

  it('is checked again when the password changes on its way to the log', async () => {
    const { member, add, logIn, passwords, authentication } = await setUp();
    await add('ann', 'old');
    member.enable({});
    const other = await passwords.hash('new');
    const { simple } = authentication.access;
    const digest = simple.digest.bind(simple);
    simple.digest = (letters) => {
      member.give(auth.changePassword('ann', other));
      return digest(letters);
    };
    await expect(logIn('ann', 'old')).rejects.toThrow(told('authFailed'));
    expect(member.machine.tokens.isEmpty).toBe(true);
  });

  it('hashes anew what was hashed too cheaply', async () => {
    const { member, logIn, passwords, proposed } = await setUp({ iterations: 2_000 });
    member.give(auth.addUser('ann', await new Passwords(1_000).hash('secret')));
    member.enable({});
    const { revision } = member.machine.auth;
    for (let i = 0; i < 2; i++) await logIn('ann', 'secret');
    const upgrades = proposed.flatMap((request) =>
      request.case === 'authLogin' && request.value.upgradedHash ? [request.value] : [],
    );
    expect(upgrades).toHaveLength(1);
    const hash = member.machine.auth.user('ann')?.passwordHash ?? '';
    expect(passwords.isOutdated(hash)).toBe(false);
    expect(member.machine.auth.revision).toBe(revision);
  });

  it('signs where tokens are signed', async () => {
    const secret = 'a secret of thirty-two characters';
    const jwt = { kind: 'jwt', algorithm: 'HS256', publicKey: null, ttlMs: 60_000 } as const;
    const signed = await SignedTokens.open({ ...jwt, privateKey: secret });
    const { member, add, logIn, proposed } = await setUp({ signed });
    await add('ann', 'secret');
    member.enable({});
    const token = await logIn('ann', 'secret');
    expect(await signed.verify(token, NOW)).toEqual({
      username: 'ann',
      authRevision: BigInt(member.machine.auth.revision),
      expiresMs: NOW + 60_000,
    });
    expect(proposed).toEqual([]);
  });
});

describe('the leader', () => {
  /** Waits for hashing, which takes no timer. */
  const until = async (done: () => boolean) => {
    for (let i = 0; i < 200 && !done(); i++) await new Promise((next) => setTimeout(next, 5));
    expect(done()).toBe(true);
  };

  it('lets root in once, by the password that was set', async () => {
    const { member, authentication, logIn } = await setUp({ rootPassword: 'hunter2' });
    authentication.promoted();
    await until(() => member.machine.auth.enabled);
    expect(await logIn('root', 'hunter2')).toMatch(/\./);
    member.give(auth.disable());
    authentication.promoted();
    await new Promise((next) => setTimeout(next, 50));
    expect(member.machine.auth.enabled).toBe(false);
  });

  it('tries again when it could not', async () => {
    const { member, authentication, state, timers } = await setUp({ rootPassword: 'hunter2' });
    state.reachable = false;
    authentication.promoted();
    await until(() => timers.length > 0);
    state.reachable = true;
    timers[0]?.callback();
    await until(() => member.machine.auth.enabled);
  });

  it('leaves it to the leader', async () => {
    const { member, authentication, state } = await setUp({ rootPassword: 'hunter2' });
    state.leading = false;
    authentication.promoted();
    await new Promise((next) => setTimeout(next, 50));
    expect(member.machine.auth.enabled).toBe(false);
  });

  it('ends tokens whose time is over, and rests when there are none', async () => {
    const { member, timers, state, add, logIn, proposed } = await setUp();
    await add('ann', 'secret');
    member.enable({});
    await logIn('ann', 'secret');
    await logIn('ann', 'secret');
    expect(timers).toHaveLength(1);
    timers[0]?.callback();
    expect(proposed.map((request) => request.case)).toEqual(['authLogin', 'authLogin']);
    expect(timers).toHaveLength(2);
    state.nowMs += 300_001;
    timers[1]?.callback();
    expect(member.machine.tokens.isEmpty).toBe(true);
    expect(timers).toHaveLength(2);
  });
});
