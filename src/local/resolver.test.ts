import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DnsServer } from '../../test/e2e/dns_server.ts';
import { answerDns, systemLookup } from './resolver.ts';

describe('the resolver of local members, asked of a real DNS server', () => {
  const dns = new DnsServer({
    srv: {
      '_etcd-server._tcp.edge.test': [
        [2380, 'm1.edge.test'],
        [2381, 'm2.edge.test'],
      ],
    },
    a: { 'm1.edge.test': ['10.0.0.1', '10.0.0.2'] },
  });
  let server = '';
  beforeAll(async () => {
    server = await dns.listen();
  });
  afterAll(() => dns.close());

  const ask = async (name: string, type: string) => {
    const url = `http://resolver/dns-query?name=${name}&type=${type}`;
    const response = await answerDns(url, systemLookup(server));
    return { status: response.status, json: response.ok ? await response.json() : null };
  };

  test('SRV records', async () => {
    const { json } = await ask('_etcd-server._tcp.edge.test', 'SRV');
    expect(json).toMatchObject({
      Status: 0,
      Answer: [
        { type: 33, data: '0 0 2380 m1.edge.test' },
        { type: 33, data: '0 0 2381 m2.edge.test' },
      ],
    });
  });

  test('addresses', async () => {
    const { json } = await ask('m1.edge.test', 'A');
    expect(json).toMatchObject({ Answer: [{ data: '10.0.0.1' }, { data: '10.0.0.2' }] });
    expect((await ask('m1.edge.test', 'AAAA')).json).toEqual({ Status: 0, Answer: [] });
  });

  test('names that are not there, and questions that are none', async () => {
    expect((await ask('no.edge.test', 'SRV')).json).toEqual({ Status: 3, Answer: [] });
    expect((await ask('no.edge.test', 'MX')).status).toBe(400);
    expect((await ask('', 'A')).status).toBe(400);
  });

  test('a server that is silent is a failure', async () => {
    const nobody = systemLookup('127.0.0.1:9');
    const answer = await answerDns('http://resolver/?name=a.test&type=A', nobody);
    expect(await answer.json()).toEqual({ Status: 2, Answer: [] });
  }, 20_000);

  test('servers that are none are refused', () => {
    expect(() => systemLookup('a.example')).toThrow('EDGETCD_DNS_SERVERS must be like');
  });
});
