import { describe, expect, it } from 'vitest';
import { DnsOverHttps, type Resolver } from './resolver.ts';
import { foundersByDns } from './srv.ts';

type Srv = Readonly<Record<string, readonly (readonly [port: number, target: string])[]>>;

function resolver(srv: Srv, addresses: Readonly<Record<string, string[]>> = {}): Resolver {
  return {
    srv: async (name) => (srv[name] ?? []).map(([port, target]) => ({ port, target })),
    addresses: async (host) => {
      const found = addresses[host];
      if (found === undefined) throw new Error(`lookup ${host}: no answer`);
      return found;
    },
  };
}

const bootstrap = { kind: 'srv', domain: 'a.example', suffix: '', resolverUrl: '' } as const;
const PLAIN = '_etcd-server._tcp.a.example';
const SECURE = '_etcd-server-ssl._tcp.a.example';
const self = (url: string) => ({ name: 'm1', url });

describe('founders by DNS', () => {
  it('are what the records name; this one is known by its own URL', async () => {
    const dns = resolver({
      [PLAIN]: [
        [2380, 'c.a.example'],
        [2380, 'b.a.example'],
      ],
    });
    expect(await foundersByDns(bootstrap, self('http://B.a.example:2380'), dns)).toEqual({
      self: { name: 'm1', url: 'http://b.a.example:2380' },
      members: [
        { name: '', url: 'http://b.a.example:2380' },
        { name: '', url: 'http://c.a.example:2380' },
      ],
    });
  });

  it('are the same for every one of them, whatever the order of the answer', async () => {
    const records = [
      [2380, 'c'],
      [2380, 'b'],
    ] as const;
    const of = (list: Srv[string], url: string) =>
      foundersByDns(bootstrap, self(url), resolver({ [PLAIN]: list }));
    const [one, two] = [
      await of(records, 'http://b:2380'),
      await of(records.toReversed(), 'http://c:2380'),
    ];
    expect(one).toMatchObject({ members: (two as { members: unknown }).members });
  });

  it('know this one by its address too, with the host of its record', async () => {
    const addresses = { '10.0.0.2': ['10.0.0.2'], b: ['10.0.0.2'], c: ['10.0.0.3'] };
    const dns = resolver(
      {
        [SECURE]: [
          [443, 'b'],
          [443, 'c'],
        ],
      },
      addresses,
    );
    expect(await foundersByDns(bootstrap, self('https://10.0.0.2:443'), dns)).toMatchObject({
      self: { url: 'https://b:443' },
    });
  });

  it('are not mixed up when all have the addresses of a proxy', async () => {
    const addresses = { b: ['10.0.0.9'], c: ['10.0.0.9'] };
    const dns = resolver(
      {
        [SECURE]: [
          [443, 'b'],
          [443, 'c'],
        ],
      },
      addresses,
    );
    expect(await foundersByDns(bootstrap, self('https://c:443'), dns)).toMatchObject({
      self: { url: 'https://c:443' },
    });
  });

  it('are looked for under a name of their own', async () => {
    const dns = resolver({ '_etcd-server-blue._tcp.a.example': [[1, 'b']] });
    const named = { ...bootstrap, suffix: '-blue' };
    expect(await foundersByDns(named, self('http://b:1'), dns)).toMatchObject({
      members: [{ url: 'http://b:1' }],
    });
  });

  it('do not include whoever no record leads to', async () => {
    const dns = resolver({ [PLAIN]: [[2380, 'b']] }, { b: ['10.0.0.2'], x: ['10.0.0.7'] });
    for (const url of ['http://x:2380', 'http://b:2381']) {
      await expect(foundersByDns(bootstrap, self(url), dns)).rejects.toThrow(
        'cannot find local etcd member "m1" in SRV records',
      );
    }
  });

  it('must be reached by the scheme that is advertised', async () => {
    const dns = resolver({ [SECURE]: [[2380, 'b']] });
    await expect(foundersByDns(bootstrap, self('http://b:2380'), dns)).rejects.toThrow(
      'bootstrap at https://b:2380 from DNS for etcd-server-ssl has scheme mismatch with ' +
        'expected peer http://b:2380',
    );
  });

  it('are waited for while DNS does not know them, or their addresses', async () => {
    expect(await foundersByDns(bootstrap, self('http://b:1'), resolver({}))).toBe(
      'too many errors querying DNS SRV records: ' +
        'error querying DNS SRV records for _etcd-server-ssl no such host,' +
        'error querying DNS SRV records for _etcd-server no such host',
    );
    const dns = resolver({ [PLAIN]: [[1, 'b']] });
    expect(await foundersByDns(bootstrap, self('http://x:1'), dns)).toBe('lookup x: no answer');
  });

  it('are no crowd', async () => {
    const many = Array.from({ length: 32 }, (_, i) => [i, 'b'] as const);
    const found = foundersByDns(bootstrap, self('http://b:1'), resolver({ [PLAIN]: many }));
    await expect(found).rejects.toThrow('DNS names 32 founders, more than 31');
  });
});

describe('DNS over HTTPS', () => {
  const asking = (answers: Readonly<Record<string, object>>) => {
    const asked: string[] = [];
    const dns = new DnsOverHttps('https://dns.example/dns-query', async (url, init) => {
      asked.push(url);
      expect(new Headers(init.headers).get('accept')).toBe('application/dns-json');
      return Response.json(answers[new URL(url).searchParams.get('type') ?? ''] ?? { Status: 3 });
    });
    return { dns, asked };
  };

  it('reads SRV records, and leaves out what is none', async () => {
    const { dns, asked } = asking({
      SRV: {
        Status: 0,
        Answer: [
          { type: 5, data: 'alias.example.' },
          { type: 33, data: '0 5 2380 b.example.' },
          { type: 33, data: 'nonsense' },
        ],
      },
    });
    expect(await dns.srv('_s._tcp.a.example')).toEqual([{ port: 2380, target: 'b.example' }]);
    expect(asked).toEqual(['https://dns.example/dns-query?name=_s._tcp.a.example&type=SRV']);
  });

  it('reads addresses of both versions; an address is its own', async () => {
    const { dns } = asking({
      A: { Status: 0, Answer: [{ type: 1, data: '10.0.0.1' }] },
      AAAA: { Status: 0, Answer: [{ type: 28, data: 'fd00::1' }] },
    });
    expect(await dns.addresses('b.example')).toEqual(['10.0.0.1', 'fd00::1']);
    expect(await dns.addresses('10.0.0.9')).toEqual(['10.0.0.9']);
    expect(await dns.addresses('fd00::2')).toEqual(['fd00::2']);
  });

  it('tells a name that is not there from a failure', async () => {
    expect(await asking({}).dns.srv('a')).toEqual([]);
    await expect(asking({ SRV: { Status: 2 } }).dns.srv('a')).rejects.toThrow('DNS status 2');
    const broken = new DnsOverHttps('https://dns.example/', async () => {
      return new Response('no', { status: 502 });
    });
    await expect(broken.srv('a')).rejects.toThrow('the resolver answered 502');
  });
});
