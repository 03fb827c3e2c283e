import { expect, it } from 'vitest';
import type { DiscoveryTarget } from '../../api/v2/call.ts';
import { V2Error } from '../../api/v2/error.ts';
import { type KeysRequest, parseKeysRequest } from '../../api/v2/keys_request.ts';
import { limits } from '../../config.ts';
import { V2Discovery } from './discovery.ts';

const TOKEN = '0123456789abcdef0123456789abcdef';

/** The keys of v2 as the service sees them: what is there, by path, and what was written. */
class Keys {
  readonly values = new Map<string, string>();
  readonly lists = new Map<string, string[]>();
  readonly written: KeysRequest[] = [];
  /** How the making of a directory ends. */
  failure: Error | null = null;

  get = async ({ path, quorum }: KeysRequest, user: string) => {
    expect([quorum, user]).toEqual([true, 'root']);
    const value = this.values.get(path);
    const list = this.lists.get(path);
    if (value === undefined && list === undefined) throw new V2Error(100, path, 7);
    const nodes = (list ?? []).map((name) => ({ key: `/1${path}/${name}` }));
    return { event: { node: { value: value ?? null, nodes } }, etcdIndex: 7, raftIndex: 7 };
  };

  change = async (request: KeysRequest) => {
    this.written.push(request);
    if (this.failure) throw this.failure;
  };

  serve = async (request: KeysRequest) => {
    this.written.push(request);
    return { status: 201, headers: {}, body: '' };
  };

  ask(method: 'GET' | 'PUT', rest: string, value = '', part: DiscoveryTarget['part'] = 'size') {
    const path = `/discovery/${TOKEN}${rest}`;
    const keys = parseKeysRequest(method, path, '', `value=${encodeURIComponent(value)}`);
    const target = { token: TOKEN, part };
    return new V2Discovery(this as never).serve({ keys, target, ttlSeconds: 60 });
  }
}

it('a token is a directory with a time to live, and a size in it', async () => {
  const keys = new Keys();
  await keys.ask('PUT', '/_config/size', '3');
  expect(keys.written).toMatchObject([
    { method: 'PUT', path: `/discovery/${TOKEN}`, dir: true, ttlSeconds: 60, prevExist: false },
    { path: `/discovery/${TOKEN}/_config/size`, value: '3', ttlSeconds: null, prevExist: false },
  ]);
});

it('a token that was half made is finished, another failure is told', async () => {
  const keys = new Keys();
  keys.failure = new V2Error(105, TOKEN, 7);
  await keys.ask('PUT', '/_config/size', '3');
  expect(keys.written).toHaveLength(2);
  keys.failure = new V2Error(104, '/discovery', 7);
  await expect(keys.ask('PUT', '/_config/size', '3')).rejects.toThrow('Not a directory');
});

it('there are only so many tokens at once', async () => {
  const keys = new Keys();
  const tokens = Array.from({ length: limits.discoveryTokensMax }, (_, i) => String(i));
  keys.lists.set('/discovery', tokens.slice(1));
  await keys.ask('PUT', '/_config/size', '3');
  keys.lists.set('/discovery', tokens);
  await expect(keys.ask('PUT', '/_config/size', '3')).rejects.toThrow('too many requests');
});

it('what changes nothing is not written at all', async () => {
  const keys = new Keys();
  keys.values.set(`/discovery/${TOKEN}/_config/size`, '1');
  keys.lists.set(`/discovery/${TOKEN}`, ['1a']);
  const member = ['/1a', 'n1=http://10.0.0.1:2380', 'member'] as const;
  await expect(keys.ask('PUT', '/_config/size', '3')).rejects.toMatchObject({ errorCode: 105 });
  await expect(keys.ask('PUT', ...member)).rejects.toMatchObject({ errorCode: 105, index: 7 });
  const many = Array.from({ length: 1 + limits.discoverySpareEntries }, (_, i) => `b${i}`);
  keys.lists.set(`/discovery/${TOKEN}`, many);
  await expect(keys.ask('PUT', ...member)).rejects.toMatchObject({ errorCode: 103 });
  keys.values.clear();
  await expect(keys.ask('PUT', ...member)).rejects.toMatchObject({ errorCode: 100 });
  expect(keys.written).toEqual([]);
});

it('a registration stays as long as its token, whatever it asks for', async () => {
  const keys = new Keys();
  keys.values.set(`/discovery/${TOKEN}/_config/size`, '1');
  keys.lists.set(`/discovery/${TOKEN}`, []);
  await keys.ask('PUT', '/1a', 'n1=http://10.0.0.1:2380', 'member');
  expect(keys.written).toMatchObject([{ ttlSeconds: null, prevExist: false, dir: false }]);
});
