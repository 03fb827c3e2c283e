import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { memberSettings, SettingsError } from '../src/member/settings.ts';
import { FIXED, GATEWAY, IDLE } from '../src/member/variable_table.ts';

/** docs/CONFIGURATION.md says what is so, of every variable. */

const root = new URL('..', import.meta.url).pathname;
const document = readFileSync(join(root, 'docs/CONFIGURATION.md'), 'utf8');

/** The rows of the table under a heading, cell by cell, without the marks of code. */
function tableOf(heading: string): string[][] {
  const section = document.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((row) =>
    row
      .slice(2, -2)
      .split(/ ?\| /)
      .map((cell) => cell.replace(/^`([^`]*)`$/, '$1')),
  );
}

/** The variables that the interfaces of the code name. */
function declared(): string[] {
  const folders = ['src/member', 'src/member/auth', 'src/gateway'];
  const sources = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => /\.ts$/.test(name) && !name.endsWith('.test.ts'))
      .map((name) => readFileSync(join(root, folder, name), 'utf8')),
  );
  const names = sources.flatMap((source) =>
    [...source.matchAll(/^ {2}readonly ([A-Z][A-Z0-9_]+)\?: string;/gm)].map(
      ([, name]) => name ?? '',
    ),
  );
  return [...new Set(names)].sort();
}

const obeyed = tableOf('Obeyed').map(([name = '', value = '']) => ({ name, value }));
/** What the gateway reads, and what says who the member is. */
const elsewhere = new Set([
  ...GATEWAY,
  'EDGETCD_ACCESS_LOG',
  'EDGETCD_CLUSTER',
  'EDGETCD_DISCOVERY_SECRET',
  'EDGETCD_DISCOVERY_SERVICE',
  'EDGETCD_DISCOVERY_TTL',
  'EDGETCD_DISCOVERY_URL',
  'EDGETCD_METRICS_TOKEN',
]);
const ofMember = obeyed.filter(({ name }) => !elsewhere.has(name));
const load = (variables: Record<string, string>) => memberSettings('c/m1', variables);

describe('docs/CONFIGURATION.md', () => {
  it('has every variable that is read, and no other', () => {
    expect(obeyed.map(({ name }) => name)).toEqual(declared());
  });

  it('has the variables of one possible value', () => {
    const rows = Object.entries(FIXED).map(([name, [value, reason]]) => [
      name,
      value === '' ? '(not set)' : value,
      reason,
    ]);
    expect(tableOf('One possible value')).toEqual(rows);
  });

  it('has the variables without effect', () => {
    expect(tableOf('Without effect')).toEqual(Object.entries(IDLE));
  });
});

describe('a variable that is obeyed', () => {
  it.each(ofMember.filter(({ value }) => value !== ''))('$name is $value by default', (each) => {
    expect(load({ [each.name]: each.value })).toEqual(load({}));
  });

  it.each(ofMember)('$name is heard', ({ name }) => {
    const heard = () => {
      try {
        // Nonsense for most; a name, a URL or a secret for the others.
        return JSON.stringify(load({ [name]: 'yes' }));
      } catch (error) {
        if (error instanceof SettingsError) return error.message;
        throw error;
      }
    };
    expect(heard()).not.toBe(JSON.stringify(load({})));
  });
});

describe('a variable of one possible value', () => {
  it.each(Object.entries(FIXED))('%s', (name, [value, reason]) => {
    expect(load({ [name]: value })).toEqual(load({}));
    const other = value === 'true' ? 'false' : 'something';
    expect(() => load({ [name]: other })).toThrow(SettingsError);
    expect(() => load({ [name]: other })).toThrow(`${name} must`);
    expect(() => load({ [name]: other })).toThrow(reason);
  });
});

describe('a variable that has no effect', () => {
  it.each(Object.entries(IDLE))('%s is told', (name, reason) => {
    expect(load({ [name]: 'x' }).notes).toEqual([`${name} has no effect: ${reason}`]);
  });

  it('is told when nobody knows it, and only if it is of the kind', () => {
    expect(load({ ETCD_HEART_BEAT: '5', HOME: '/', ETCDCTL_API: '3' }).notes).toEqual([
      'unrecognized environment variable ETCD_HEART_BEAT',
    ]);
  });
});
