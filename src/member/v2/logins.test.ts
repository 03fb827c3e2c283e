import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { V2AuthSwitchSchema, V2UserPutSchema } from '../../api/gen/command_pb.ts';
import type { BasicCredentials } from '../../api/v2/call.ts';
import { limits } from '../../config.ts';
import { Single } from '../../state/testing/single.ts';
import type { V2Host } from './host.ts';
import { V2Logins } from './logins.ts';

let member: Single;
let checked: string[];
beforeEach(() => {
  member = new Single();
  checked = [];
});

/** Passwords fit the hash that is the same word. */
function logins(open: boolean): V2Logins {
  const passwords = {
    matches: async (password: string, hash: string | null) => {
      checked.push(password);
      return password === hash;
    },
  };
  return new V2Logins({
    machine: member.machine,
    settings: { auth: { open } },
    authentication: { passwords },
  } as unknown as V2Host);
}

function setPassword(name: string, passwordHash: string): void {
  const value = create(V2UserPutSchema, { asker: 'root', name, passwordHash });
  expect(member.apply({ case: 'v2UserPut', value }).error).toBeNull();
}

function enable(): void {
  setPassword('root', 'r');
  setPassword('bob', 'b');
  const value = create(V2AuthSwitchSchema, { enabled: true });
  expect(member.apply({ case: 'v2AuthSwitch', value }).error).toBeNull();
}

const user = (name: string, password: string): BasicCredentials => ({ user: name, password });
const DENIED = 'The request requires user authentication';

describe('while authentication is off', () => {
  it('everybody is a guest of an open deployment, whatever they say', async () => {
    for (const credentials of [null, 'malformed', user('bob', 'x')] as const) {
      expect(await logins(true).userOf(credentials)).toBe('');
    }
    expect(checked).toEqual([]);
  });

  it('nobody is let into a closed one', async () => {
    for (const credentials of [null, user('root', 'r')]) {
      await expect(logins(false).userOf(credentials)).rejects.toThrow(/closed/);
    }
  });
});

describe('while it is on', () => {
  beforeEach(enable);

  it('guests are let into an open deployment alone', async () => {
    expect(await logins(true).userOf(null)).toBe('');
    await expect(logins(false).userOf(null)).rejects.toThrow(DENIED);
  });

  it.each([true, false])('users have to know their password (open: %s)', async (open) => {
    const who = logins(open);
    expect(await who.userOf(user('bob', 'b'))).toBe('bob');
    for (const wrong of [
      user('bob', 'r'),
      user('nobody', 'b'),
      user('', ''),
      'malformed' as const,
    ]) {
      await expect(who.userOf(wrong)).rejects.toThrow(DENIED);
    }
  });

  it('a password is checked once, and again when it was changed', async () => {
    const who = logins(true);
    for (let i = 0; i < 3; i++) await who.userOf(user('bob', 'b'));
    expect(checked).toEqual(['b']);
    setPassword('bob', 'new');
    await expect(who.userOf(user('bob', 'b'))).rejects.toThrow(DENIED);
    expect(await who.userOf(user('bob', 'new'))).toBe('bob');
    expect(checked).toEqual(['b', 'b', 'new']);
  });

  it("one that is too long is nobody's, and not checked", async () => {
    const long = 'x'.repeat(limits.authPasswordBytesMax + 1);
    await expect(logins(true).userOf(user('bob', long))).rejects.toThrow(DENIED);
    expect(checked).toEqual([]);
  });
});
