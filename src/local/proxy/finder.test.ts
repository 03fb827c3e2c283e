import { expect, test } from 'vitest';
import { Finder } from './finder.ts';
import { type MemberList, originOf, readMemberList } from './member_list.ts';
import { peersByDns } from './srv.ts';

test('a list of members in each of its forms', () => {
  const a = { name: 'a', peerURLs: ['http://a:2380'], clientURLs: ['http://a:2379/', 'unix://x'] };
  const learner = { peerURLs: ['http://l:2380'], clientURLs: ['http://l:2379'], isLearner: true };
  const wanted = { clusterId: 'ab', peerUrls: ['http://a:2380'], clientUrls: ['http://a:2379'] };
  expect(readMemberList(JSON.stringify([a, learner]), 'ab')).toEqual(wanted);
  const below = JSON.stringify({ header: { cluster_id: '171' }, members: [a, learner] });
  expect(readMemberList(below, null)).toEqual(wanted);
  expect(readMemberList(JSON.stringify({ members: [] }), null)).toEqual({
    clusterId: null,
    peerUrls: [],
    clientUrls: [],
  });
});

test.each(['', '<html>', '{}', '"x"', 'null', '{"members":3}'])('%j is no list', (text) => {
  expect(readMemberList(text, null)).toBeNull();
});

test.each([
  ['http://a:1', 'http://a:1'],
  ['http://a:1/', 'http://a:1'],
  ['https://[::1]:2', 'https://[::1]:2'],
  ['do://m1', null],
  ['http://a:1/path', null],
  ['http://a:1/?x', null],
  ['', null],
])('the origin of %j is %j', (text, origin) => {
  expect(originOf(text)).toBe(origin);
});

/** A cluster at whose URLs is told what the test says. */
function world(lists: Record<string, MemberList>) {
  const asked: string[] = [];
  const list = async (url: string, search: string) => {
    asked.push(`${search} ${url}`);
    return lists[url] ?? null;
  };
  return { asked, lists, questions: { list, resolve: async () => Object.keys(lists) } };
}

const listOf = (clusterId: string, ...names: string[]): MemberList => ({
  clusterId,
  peerUrls: names.map((name) => `http://${name}:2380`),
  clientUrls: names.map((name) => `http://${name}:2379`),
});

test('peer URLs lead to clients’ URLs, and outlive the members that were named', async () => {
  const { asked, questions, lists } = world({ 'http://b:2380': listOf('1', 'b', 'c') });
  const start = { kind: 'peers', urls: ['http://a:2380', 'http://b:2380'] } as const;
  const finder = new Finder(start, questions);
  expect(await finder.find()).toEqual(['http://b:2379', 'http://c:2379']);
  expect(asked).toEqual(['peers http://a:2380', 'peers http://b:2380']);
  delete lists['http://b:2380'];
  lists['http://c:2380'] = listOf('1', 'c', 'd');
  expect(await finder.find()).toEqual(['http://c:2379', 'http://d:2379']);
  delete lists['http://c:2380'];
  expect(await finder.find()).toEqual(['http://c:2379', 'http://d:2379']);
});

test('what has become another cluster is not followed', async () => {
  const { questions, lists } = world({ 'http://a:2380': listOf('1', 'a') });
  const finder = new Finder({ kind: 'peers', urls: ['http://a:2380'] }, questions);
  expect(await finder.find()).toEqual(['http://a:2379']);
  lists['http://a:2380'] = listOf('2', 'x');
  expect(await finder.find()).toEqual(['http://a:2379']);
});

test('endpoints are used whether or not they say who the members are', async () => {
  const start = { kind: 'clients', urls: ['http://lb:80'] } as const;
  expect(await new Finder(start, world({}).questions).find()).toEqual(['http://lb:80']);
  const { questions } = world({ 'http://lb:80': listOf('1', 'a', 'b') });
  expect(await new Finder(start, questions).find()).toEqual([
    ...['http://a:2379', 'http://b:2379', 'http://lb:80'],
  ]);
});

test('a name in DNS leads to peer URLs, whenever it is asked', async () => {
  const { asked, questions, lists } = world({});
  const name = { domain: 'edge.example', suffix: '' };
  const finder = new Finder({ kind: 'srv', name }, questions);
  expect(await finder.find()).toEqual([]);
  lists['http://a:2380'] = listOf('1', 'a');
  expect(await finder.find()).toEqual(['http://a:2379']);
  expect(asked).toEqual(['peers http://a:2380']);
});

test('SRV records of both kinds, under both names', async () => {
  const asked: string[] = [];
  const lookup = async (name: string) => {
    asked.push(name);
    if (name.startsWith('_etcd-server-ssl')) throw new Error('queryData ENOTFOUND');
    return ['10 5 2380 a.edge.example.', '10 5 2381 b.edge.example', 'nonsense'];
  };
  expect(await peersByDns({ domain: 'edge.example', suffix: 'blue' }, lookup)).toEqual([
    ...['http://a.edge.example:2380', 'http://b.edge.example:2381'],
  ]);
  await peersByDns({ domain: 'edge.example', suffix: '' }, lookup);
  expect(asked).toEqual([
    '_etcd-server-ssl-blue._tcp.edge.example',
    '_etcd-server-blue._tcp.edge.example',
    '_etcd-server-ssl._tcp.edge.example',
    '_etcd-server._tcp.edge.example',
  ]);
});
