import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../api/error.ts';
import { limits } from '../../config.ts';
import { isPasswordHash, Passwords } from './passwords.ts';

/** As few iterations as are taken for a hash at all. */
const quick = () => new Passwords(1_000);

describe('a password', () => {
  it('fits its hash, and no other fits', async () => {
    const passwords = quick();
    const hash = await passwords.hash('Pa\u00dfwort');
    expect(hash).toMatch(/^\$pbkdf2-sha256\$i=1000\$/);
    expect(hash).not.toContain('Pa\u00dfwort');
    expect(await passwords.matches('Pa\u00dfwort', hash)).toBe(true);
    for (const other of ['', 'pa\u00dfwort', 'Pa\u00dfwort ']) {
      expect(await passwords.matches(other, hash)).toBe(false);
    }
  });

  it('has another hash each time', async () => {
    const passwords = quick();
    expect(await passwords.hash('x')).not.toBe(await passwords.hash('x'));
  });

  it('fits nothing where there is no hash', async () => {
    const passwords = quick();
    for (const hash of [null, '', 'x', '$2a$10$abcdefghijklmnopqrstuv']) {
      expect(await passwords.matches('', hash)).toBe(false);
    }
  });

  it('is bounded', async () => {
    const passwords = quick();
    const long = 'x'.repeat(limits.authPasswordBytesMax + 1);
    await expect((async () => passwords.hash(long))()).rejects.toThrow(ERRORS.passwordTooLong[1]);
  });

  it('cannot be tried without end at once', async () => {
    const passwords = quick();
    const tries = limits.passwordHashesAtOnceMax + limits.passwordHashesWaitingMax + 1;
    const all = await Promise.allSettled(
      Array.from({ length: tries }, async () => passwords.matches('x', null)),
    );
    const refused = all.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(await passwords.matches('x', null)).toBe(false);
  });
});

describe('a hash', () => {
  it('with fewer iterations than new ones get is outdated, and still good', async () => {
    const old = await quick().hash('x');
    const passwords = new Passwords(2_000);
    expect(passwords.isOutdated(old)).toBe(true);
    expect(await passwords.matches('x', old)).toBe(true);
    expect(passwords.isOutdated(await passwords.hash('x'))).toBe(false);
  });

  it('that costs nothing, or more than the platform allows, is none', async () => {
    const hash = await quick().hash('x');
    expect(isPasswordHash(hash)).toBe(true);
    for (const iterations of ['0', '999', '100001', '1e3', '']) {
      expect(isPasswordHash(hash.replace('i=1000', `i=${iterations}`))).toBe(false);
    }
    expect(isPasswordHash(hash.slice(0, -1))).toBe(false);
  });

  it('is made with the most iterations that the platform allows', async () => {
    expect(await new Passwords().hash('x')).toMatch(/\$i=100000\$/);
  });
});
