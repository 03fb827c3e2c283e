import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Command,
  V2AuthSwitchSchema,
  V2ChangeSchema,
  V2RoleDeleteSchema,
  V2RolePutSchema,
  V2UserDeleteSchema,
  V2UserPutSchema,
} from '../../api/gen/command_pb.ts';
import { Single } from '../testing/single.ts';
import { V2Accounts } from './accounts.ts';

let member: Single;
beforeEach(() => {
  member = new Single();
});

const accounts = () => new V2Accounts(member.machine.v2);
const apply = (request: Command['request']): string =>
  member.apply(request).error?.message.replace('auth: ', '') ?? 'done';

type Fields<T> = Partial<Omit<T, '$typeName'>>;
const user = (name: string, fields: Fields<{ [key: string]: unknown }> = {}, asker = '') =>
  apply({ case: 'v2UserPut', value: create(V2UserPutSchema, { name, asker, ...fields }) });
const role = (name: string, fields: Fields<{ [key: string]: unknown }> = {}, asker = '') =>
  apply({ case: 'v2RolePut', value: create(V2RolePutSchema, { name, asker, ...fields }) });
const removeUser = (name: string, asker = '') =>
  apply({ case: 'v2UserDelete', value: create(V2UserDeleteSchema, { name, asker }) });
const removeRole = (name: string, asker = '') =>
  apply({ case: 'v2RoleDelete', value: create(V2RoleDeleteSchema, { name, asker }) });
const enable = (enabled = true, asker = '') =>
  apply({ case: 'v2AuthSwitch', value: create(V2AuthSwitchSchema, { enabled, asker }) });
const put = (path: string, asker: string) =>
  apply({ case: 'v2Change', value: create(V2ChangeSchema, { path: `/1${path}`, user: asker }) });
const may = (name: string, key: string, isWrite = false, recursive = false) =>
  accounts().mayAccess(name, { key, isWrite, recursive });

describe('users', () => {
  it('are made with a password, changed, and taken away', () => {
    expect(user('bob')).toBe('Cannot create user bob with an empty password');
    expect(user('bob', { passwordHash: 'h' })).toBe('done');
    expect(user('bob', { passwordHash: 'h' })).toMatch(/^User not updated/);
    expect(user('bob', { passwordHash: 'i', roles: ['r'] })).toBe('User bob already exists.');
    expect(user('bob', { grant: ['r', 'a'] })).toBe('done');
    expect(accounts().user('bob')).toEqual({ name: 'bob', passwordHash: 'h', roles: ['a', 'r'] });
    expect(user('bob', { grant: ['r'] })).toBe('Granting duplicate role r for user bob');
    expect(user('bob', { revoke: ['x'] })).toBe('Revoking ungranted role x for user bob');
    expect(user('al', { grant: ['x'] })).toBe('User al does not exist.');
    expect(removeUser('al')).toBe('User al does not exist');
    expect(removeUser('bob')).toBe('done');
    expect(accounts().userNames()).toEqual([]);
  });

  it('named root have the root role', () => {
    user('root', { passwordHash: 'h' });
    expect(accounts().user('root')?.roles).toEqual(['root']);
  });
});

describe('roles', () => {
  it('are made, changed and taken away, but for the root role', () => {
    const permissions = { read: ['/a/*'], write: [] };
    expect(role('r', { permissions })).toBe('done');
    expect(role('r')).toBe('Role r already exists.');
    expect(role('x', { grant: permissions })).toBe('Role x does not exist.');
    expect(role('r', { grant: permissions })).toBe('Granting duplicate read permission /a/*');
    expect(role('r', { revoke: { read: [], write: ['/z'] } })).toMatch(/^Role not updated/);
    expect(role('r', { grant: { read: [], write: ['/b'] } })).toBe('done');
    expect(accounts().role('r')?.permits).toEqual({ read: ['/a/*'], write: ['/b'] });
    expect(accounts().roleNames()).toEqual(['r', 'root']);
    expect(role('root')).toBe('Cannot modify role root: is root role.');
    expect(removeRole('root')).toBe('Cannot modify role root: is root role.');
    expect(removeRole('x')).toBe("Role x doesn't exist.");
    expect(removeRole('r')).toBe('done');
  });
});

describe('authentication', () => {
  beforeEach(() => {
    expect(enable()).toBe('No root user available, please create one');
    user('root', { passwordHash: 'h' });
    role('r', { permissions: { read: ['/a', '/b/*'], write: ['/b/*'] } });
    user('bob', { passwordHash: 'h', roles: ['r', 'gone'] });
    expect(enable()).toBe('done');
  });

  it('lets guests do everything until they may not', () => {
    expect(may('', '/x', true, true)).toBe(true);
    expect(removeRole('guest', 'root')).toBe('done');
    expect(may('', '/x')).toBe(false);
  });

  it.each([
    ['/a', false, false, true],
    ['/a', true, false, false],
    ['/a', false, true, false],
    ['/a/x', false, false, false],
    ['/b', false, false, false],
    ['/b/', false, false, true],
    ['/b/x', true, true, true],
  ])('a user reads %s (write %s, recursive %s): %s', (key, isWrite, recursive, allowed) => {
    expect(may('bob', key, isWrite, recursive)).toBe(allowed);
  });

  it('is asked for by commands, where rights may have changed since', () => {
    expect(put('/b/x', 'bob')).toBe('done');
    expect(put('/a', 'bob')).toBe('The request requires user authentication');
    expect(put('/a', 'nobody')).toBe('The request requires user authentication');
    expect(put('/a', 'root')).toBe('done');
  });

  it('lets only root administrate', () => {
    for (const asker of ['', 'bob', 'nobody']) {
      expect(user('x', { passwordHash: 'h' }, asker)).toMatch(/user authentication/);
      expect(role('x', {}, asker)).toMatch(/user authentication/);
      expect(removeUser('bob', asker)).toMatch(/user authentication/);
      expect(removeRole('r', asker)).toMatch(/user authentication/);
      expect(enable(false, asker)).toMatch(/user authentication/);
    }
    expect(removeUser('root', 'root')).toBe('Cannot delete root user while auth is enabled.');
    expect(enable(true, 'root')).toBe('already enabled');
    expect(enable(false, 'root')).toBe('done');
    expect(enable(false)).toBe('already disabled');
  });

  it('tells nobody who waits of users and their passwords', () => {
    const { v2 } = member.machine;
    for (let index = 4; index <= v2.index; index++) {
      expect(JSON.stringify(v2.eventAfter('/2', true, index) ?? {})).not.toContain('passwordHash');
      expect(v2.eventAfter('/1', true, index)).toBeNull();
    }
  });
});
