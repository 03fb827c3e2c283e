import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorName } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { auth, Guarded, READ, READWRITE, WRITE } from '../testing/auth.ts';
import { installed } from '../testing/single.ts';

const told = (name: ErrorName): string => ERRORS[name][1];

describe('users', () => {
  it('are added once, under a name', () => {
    const member = new Guarded();
    expect(member.refusal(auth.addUser('ann'))).toBeNull();
    expect(member.refusal(auth.addUser('ann'))).toBe(told('userExists'));
    expect(member.refusal(auth.addUser(''))).toBe(told('userEmpty'));
    const name = 'n'.repeat(limits.authNameBytesMax);
    expect(member.refusal(auth.addUser(name))).toBeNull();
    expect(member.refusal(auth.addUser(`${name}n`))).toBe(told('authNameTooLong'));
    expect([...member.machine.auth.users()].map((user) => user.name)).toEqual(['ann', name]);
  });

  it('are listed by name', () => {
    const member = new Guarded();
    for (const name of ['cy', 'ann', 'bob']) member.give(auth.addUser(name));
    member.give(auth.deleteUser('bob'));
    expect([...member.machine.auth.users()].map(({ name }) => name)).toEqual(['ann', 'cy']);
  });

  it('without a password have none, whatever is sent', () => {
    const member = new Guarded();
    member.give(auth.addUser('ann', 'hash', true));
    member.give(auth.changePassword('ann', 'another'));
    expect(member.machine.auth.user('ann')).toMatchObject({ noPassword: true, passwordHash: '' });
  });

  it('that do not exist cannot be changed', () => {
    const member = new Guarded();
    member.give(auth.addRole('r'));
    for (const request of [
      auth.deleteUser('x'),
      auth.changePassword('x', 'h'),
      auth.grantRole('x', 'r'),
      auth.revokeRole('x', 'r'),
    ]) {
      expect(member.refusal(request)).toBe(told('userNotFound'));
    }
  });

  it('never bring a password into the log', () => {
    const member = new Guarded();
    const request = auth.addUser('ann');
    if (request.case === 'authUserAdd') request.value.password = 'secret';
    expect(member.refusal(request)).toBe(told('internal'));
    expect(member.machine.auth.user('ann')).toBeNull();
  });
});

describe('roles', () => {
  it('are added once, under a name', () => {
    const member = new Guarded();
    expect(member.refusal(auth.addRole('r'))).toBeNull();
    expect(member.refusal(auth.addRole('r'))).toBe(told('roleExists'));
    expect(member.refusal(auth.addRole(''))).toBe(told('roleEmpty'));
  });

  it('are granted, in order, and taken again', () => {
    const member = new Guarded();
    for (const request of [auth.addUser('ann'), auth.addRole('b'), auth.addRole('a')]) {
      member.give(request);
    }
    member.give(auth.grantRole('ann', 'b'));
    member.give(auth.grantRole('ann', 'a'));
    expect(member.machine.auth.user('ann')?.roles).toEqual(['a', 'b']);
    expect(member.refusal(auth.grantRole('ann', 'c'))).toBe(told('roleNotFound'));
    expect(member.refusal(auth.revokeRole('ann', 'c'))).toBe(told('roleNotGranted'));
    member.give(auth.revokeRole('ann', 'b'));
    expect(member.machine.auth.user('ann')?.roles).toEqual(['a']);
  });

  it('that are deleted are taken from all', () => {
    const member = new Guarded();
    for (const name of ['ann', 'bob']) member.give(auth.addUser(name));
    member.give(auth.addRole('r'));
    member.give(auth.grantRole('ann', 'r'));
    member.give(auth.deleteRole('r'));
    expect(member.machine.auth.user('ann')?.roles).toEqual([]);
    expect(member.refusal(auth.deleteRole('r'))).toBe(told('roleNotFound'));
  });

  it('of root can be had without having been made', () => {
    const member = new Guarded();
    member.give(auth.addUser('ann'));
    expect(member.refusal(auth.grantRole('ann', 'root'))).toBeNull();
  });
});

describe('permissions', () => {
  const rolesOf = (member: Guarded) =>
    member.machine.auth.role('r')?.permissions.map(({ permType }) => permType);

  it('replace one another on the same range only', () => {
    const member = new Guarded();
    member.give(auth.addRole('r'));
    member.give(auth.allow('r', READ, 'b'));
    member.give(auth.allow('r', WRITE, 'a', 'c'));
    member.give(auth.allow('r', READWRITE, 'a'));
    expect(rolesOf(member)).toEqual([READWRITE, WRITE, READ]);
    member.give(auth.allow('r', WRITE, 'b'));
    expect(rolesOf(member)).toEqual([READWRITE, WRITE, WRITE]);
    expect(member.refusal(auth.disallow('r', 'a', 'b'))).toBe(told('permissionNotGranted'));
    member.give(auth.disallow('r', 'a', 'c'));
    expect(rolesOf(member)).toEqual([READWRITE, WRITE]);
  });

  it('are about keys', () => {
    const member = new Guarded();
    member.give(auth.addRole('r'));
    for (const [key, end] of [
      ['', ''],
      ['', '\0'],
      ['b', 'a'],
      ['b', 'b'],
      ['k'.repeat(limits.authPermissionKeyBytesMax + 1), ''],
    ] as const) {
      expect(member.refusal(auth.allow('r', READ, key, end))).toBe(told('invalidAuthManagement'));
    }
    expect(member.refusal(auth.allow('x', READ, 'k'))).toBe(told('roleNotFound'));
    expect(member.refusal(auth.allow('r', READ, 'k', '\0'))).toBeNull();
    const request = auth.allow('r', READ, 'k');
    if (request.case === 'authRoleGrantPermission') delete request.value.perm;
    expect(member.refusal(request)).toBe(told('permissionNotGiven'));
  });

  it('of one role are bounded', () => {
    const member = new Guarded();
    member.give(auth.addRole('r'));
    for (let i = 0; i < limits.authPermissionsPerRoleMax; i++) {
      member.give(auth.allow('r', READ, `k${i}`));
    }
    expect(member.refusal(auth.allow('r', READ, 'one more'))).toBe(told('tooManyPermissions'));
    expect(member.refusal(auth.allow('r', WRITE, 'k0'))).toBeNull();
  });
});

describe('authentication', () => {
  it('is enabled when somebody can disable it', () => {
    const member = new Guarded();
    expect(member.refusal(auth.enable())).toBe(told('rootUserNotExist'));
    member.give(auth.addUser('root'));
    expect(member.refusal(auth.enable())).toBe(told('rootRoleNotGranted'));
    member.give(auth.grantRole('root', 'root'));
    expect(member.refusal(auth.enable())).toBeNull();
    expect(member.machine.auth.enabled).toBe(true);
    expect(member.refusal(auth.enable())).toBeNull();
  });

  it('keeps root while it is on', () => {
    const member = new Guarded();
    member.enable({});
    member.give(auth.addRole('root'));
    const locked = [
      auth.deleteUser('root'),
      auth.revokeRole('root', 'root'),
      auth.deleteRole('root'),
    ];
    for (const request of locked) {
      expect(member.refusal(request)).toBe(told('invalidAuthManagement'));
    }
    member.give(auth.disable());
    expect(member.machine.auth.enabled).toBe(false);
    expect(locked.map((request) => member.refusal(request))).toEqual([
      null,
      told('userNotFound'),
      null,
    ]);
  });

  it('counts changes as etcd does', () => {
    const member = new Guarded();
    const revisions = [
      auth.enable(),
      auth.disable(),
      auth.addUser('root'),
      auth.addUser('root'),
      auth.grantRole('root', 'root'),
      auth.grantRole('root', 'root'),
      auth.enable(),
      auth.enable(),
      auth.addRole('r'),
      auth.allow('r', READ, 'k'),
      auth.changePassword('root', 'other'),
      auth.disable(),
    ].map((request) => {
      member.give(request);
      return member.machine.auth.revision;
    });
    expect(revisions).toEqual([1, 1, 2, 2, 3, 3, 3, 3, 4, 5, 6, 7]);
  });

  it('survives restarts and snapshots', () => {
    const member = new Guarded();
    member.enable({ ann: [['r', READ, 'a', 'b']] });
    const state = (from: Guarded['machine']) => ({
      enabled: from.auth.enabled,
      ever: from.auth.everEnabled,
      revision: from.auth.revision,
      users: [...from.auth.users()],
      roles: [...from.auth.roles()],
    });
    const before = state(member.machine);
    expect(state(installed(member.snapshotChunks()))).toEqual(before);
    member.machine.flush();
    member.restart();
    expect(state(member.machine)).toEqual(before);
  });

  it('is opened once by a password of root', () => {
    const member = new Guarded();
    const bootstrap = (rootHash: string) =>
      member.refusal({
        case: 'authBootstrap',
        value: { $typeName: 'edgetcd.AuthBootstrap', rootHash },
      });
    expect(bootstrap('first')).toBeNull();
    const { auth: state } = member.machine;
    expect([state.enabled, state.user('root')?.passwordHash]).toEqual([true, 'first']);
    expect(state.user('root')?.roles).toEqual(['root']);
    bootstrap('second');
    expect(member.machine.auth.user('root')?.passwordHash).toBe('first');
    member.give(auth.disable());
    bootstrap('third');
    expect(member.machine.auth.enabled).toBe(false);
  });
});
