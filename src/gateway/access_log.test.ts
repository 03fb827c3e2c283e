import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeMembers, OK } from './fake_members.ts';

const FAILED = { ...OK, status: 503, body: '{"code":14}' };
const PUT = '/v3/kv/put';

describe('the access log', () => {
  const lines: string[] = [];
  beforeEach(() => {
    lines.length = 0;
    const note = (line: unknown) => void lines.push(String(line));
    vi.spyOn(console, 'log').mockImplementation(note);
    vi.spyOn(console, 'warn').mockImplementation(note);
  });
  afterEach(() => vi.restoreAllMocks());

  const entries = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

  function members(level: string): FakeMembers {
    const fake = new FakeMembers({ EDGETCD_ACCESS_LOG: level });
    fake.behave('m2', () => FAILED);
    return fake;
  }
  const failing = { 'x-etcd-endpoint': 'm2' };

  it.each(['', 'errors'])('has what failed on our side by default (%j)', async (level) => {
    const fake = members(level);
    await (await fake.post(PUT)).text();
    expect(await (await fake.post(PUT, '{}', failing)).text()).toBe('{"code":14}');
    expect(entries()).toMatchObject([
      { msg: 'request', method: 'POST', path: PUT, status: 503, bytes: 11 },
    ]);
  });

  it('has no probes unless it has everything', async () => {
    const fake = members('');
    for (const name of ['m1', 'm2', 'm3']) fake.behave(name, () => new Error('lost'));
    await (await fake.fetch('/health')).text();
    await (await fake.post('/v3/maintenance/status')).text();
    expect(lines).toEqual([]);
  });

  it('has everything, with the id that the answer names, and neither query nor token', async () => {
    const response = await members('all').post(`${PUT}?key=secret`, '{}', {
      authorization: 'secret',
    });
    expect(await response.text()).toBe('{"ok":true}');
    expect(entries()).toMatchObject([{ status: 200, path: PUT, bytes: 11 }]);
    expect(response.headers.get('x-request-id')).toBe(entries()[0]?.['request_id']);
    expect(lines.join()).not.toContain('secret');
  });

  it('has a stream when its client is gone', async () => {
    const response = await members('all').post('/v3/watch');
    expect(lines).toEqual([]);
    await response.body?.cancel();
    expect(entries()).toMatchObject([{ path: '/v3/watch', status: 200, bytes: 0 }]);
  });

  it('has nothing when it is off', async () => {
    const response = await members('off').post(PUT, '{}', failing);
    expect(response.headers.get('x-request-id')).toBeNull();
    expect(lines).toEqual([]);
  });

  it('has no other level', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const response = await members('verbose').post(PUT);
    expect(await response.text()).toMatch(/EDGETCD_ACCESS_LOG is not one of off, errors, all/);
  });
});

describe('X-Request-Id', () => {
  it.each(['abc-123', 'a'.repeat(128), 'trace:00/1=x+y@z.w_v'])('comes back: %s', async (id) => {
    const response = await new FakeMembers().post(PUT, '{}', { 'x-request-id': id });
    expect(response.headers.get('x-request-id')).toBe(id);
  });

  it.each(['', 'a'.repeat(129), 'a b', '{"a":1}', '<x>'])('is none: %s', async (id) => {
    const response = await new FakeMembers().post(PUT, '{}', { 'x-request-id': id });
    expect(response.headers.get('x-request-id')).toBeNull();
  });
});
