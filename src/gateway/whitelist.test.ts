import { describe, expect, it } from 'vitest';
import { refusedHost } from './whitelist.ts';

const answer = (list: string, url = 'http://edge.example:2379/version') =>
  refusedHost(new Request(url), list);

describe('the list of hosts', () => {
  it.each(['*', 'edge.example', 'other.example,edge.example', ' Edge.Example , x', 'x,*'])(
    '%j lets the host in, whatever its port',
    (list) => {
      expect(answer(list)).toBeNull();
    },
  );

  it.each(['other.example', 'example', 'edge.example.org', 'edge.example:2379', ','])(
    '%j does not',
    async (list) => {
      const refused = answer(list);
      expect(refused?.status).toBe(421);
      expect(refused?.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await refused?.text()).toMatch(/^edge\.example is not .*ETCD_HOST_WHITELIST.*\n$/);
    },
  );

  it('knows addresses too', () => {
    expect(answer('127.0.0.1', 'http://127.0.0.1:1/')).toBeNull();
    expect(answer('[::1]', 'http://[::1]:1/')).toBeNull();
  });
});
