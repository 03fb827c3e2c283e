import { expect, test } from 'vitest';
import { Finder } from './finder.ts';
import { type MemberList, originOf, readMemberList } from './member_list.ts';

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
  return { asked, list, lists };
}

const listOf = (clusterId: string, ...names: string[]): MemberList => ({
  clusterId,
  peerUrls: names.map((name) => `http://${name}:2380`),
  clientUrls: names.map((name) => `http://${name}:2379`),
});

test('peer URLs lead to clients’ URLs, and outlive the members that were named', async () => {
  const { asked, list, lists } = world({ 'http://b:2380': listOf('1', 'b', 'c') });
  const start = { clientUrls: [], peerUrls: ['http://a:2380', 'http://b:2380'] };
  const finder = new Finder(start, list);
  expect(await finder.find()).toEqual(['http://b:2379', 'http://c:2379']);
  expect(asked).toEqual(['peers http://a:2380', 'peers http://b:2380']);
  delete lists['http://b:2380'];
  lists['http://c:2380'] = listOf('1', 'c', 'd');
  expect(await finder.find()).toEqual(['http://c:2379', 'http://d:2379']);
  delete lists['http://c:2380'];
  expect(await finder.find()).toEqual(['http://c:2379', 'http://d:2379']);
});

test('what has become another cluster is not followed', async () => {
  const { list, lists } = world({ 'http://a:2380': listOf('1', 'a') });
  const finder = new Finder({ clientUrls: [], peerUrls: ['http://a:2380'] }, list);
  expect(await finder.find()).toEqual(['http://a:2379']);
  lists['http://a:2380'] = listOf('2', 'x');
  expect(await finder.find()).toEqual(['http://a:2379']);
});

test('endpoints are used whether or not they say who the members are', async () => {
  const start = { clientUrls: ['http://lb:80'], peerUrls: [] };
  expect(await new Finder(start, world({}).list).find()).toEqual(['http://lb:80']);
  const { list } = world({ 'http://lb:80': listOf('1', 'a', 'b') });
  expect(await new Finder(start, list).find()).toEqual([
    ...['http://a:2379', 'http://b:2379', 'http://lb:80'],
  ]);
});
