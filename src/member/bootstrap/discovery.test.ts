import { describe, expect, it } from 'vitest';
import { must } from '../../lib/assert.ts';
import { foundersByDiscovery } from './discovery.ts';
import { DiscoveryClient } from './discovery_client.ts';

const URL_OF_TOKEN = 'http://discovery.example/v2/keys/_etcd/registry/t';

interface Entry {
  readonly key: string;
  readonly value: string;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
}

/** A discovery service: what an etcd would answer under one token. */
class Registry {
  readonly asked: string[] = [];
  /** What goes wrong, request by request: `down`, or an answer that is lost when it is done. */
  faults: ('down' | 'lost' | 500 | null)[] = [];
  /** Whole answers instead: of whoever is no discovery service. */
  instead: Response | null = null;
  size: string | null = '3';
  index = 10;
  readonly entries: Entry[] = [];
  /** Those who come while somebody waits. */
  readonly coming: (readonly [id: string, value: string])[] = [];

  register(id: string, value: string): Entry {
    this.index++;
    const { index } = this;
    const entry = { key: `/t/${id}`, value, createdIndex: index, modifiedIndex: index };
    this.entries.push(entry);
    return entry;
  }

  readonly ask = async (url: string, init: RequestInit): Promise<Response> => {
    const method = init.method ?? 'GET';
    expect(url.startsWith(URL_OF_TOKEN)).toBe(true);
    const body = typeof init.body === 'string' ? ` ${init.body}` : '';
    this.asked.push(`${method} ${url.slice(URL_OF_TOKEN.length)}${body}`);
    const fault = this.faults.shift() ?? null;
    if (fault === 'down') throw new Error('connection refused');
    if (fault === 500) return new Response('oops', { status: 500 });
    const answer = this.instead?.clone() ?? this.#answer(method, new URL(url), body.slice(7));
    if (fault === 'lost') throw new Error('connection reset');
    return answer;
  };

  #answer(method: string, { pathname, searchParams }: URL, value: string): Response {
    const name = pathname.split('/registry/t')[1] ?? '';
    const entry = this.entries.find(({ key }) => key === `/t${name}`);
    if (searchParams.get('wait') === 'true') return this.#wait(name, searchParams);
    if (name === '/_config/size') {
      return this.size === null ? this.#error(100) : this.#event('get', { value: this.size });
    }
    if (name === '') return this.#event('get', { dir: true, nodes: this.entries.toReversed() });
    if (method === 'GET') return entry ? this.#event('get', entry) : this.#error(100);
    if (entry) return this.#error(105);
    const decoded = decodeURIComponent(value);
    return this.#event('create', this.register(name.slice(1), decoded), 201);
  }

  #wait(name: string, query: URLSearchParams): Response {
    const from = Number(query.get('waitIndex'));
    const isNews = ({ key, createdIndex }: Entry) =>
      createdIndex >= from && (name === '' || key === `/t${name}`);
    if (!this.entries.some(isNews)) {
      const next = this.coming.shift();
      if (next) this.register(...next);
    }
    const news = this.entries.find(isNews);
    // As a proxy does that has waited for long enough.
    return news ? this.#event('create', news) : new Response('');
  }

  #event(action: string, node: object, status = 200): Response {
    const headers = { 'X-Etcd-Index': String(this.index) };
    return Response.json({ action, node }, { status, headers });
  }

  #error(errorCode: number): Response {
    const body = { errorCode, message: 'no', cause: '/t', index: this.index };
    return Response.json(body, { status: errorCode === 100 ? 404 : 412 });
  }
}

/** A member that looks for founders; `begun` is what it remembers of an earlier life. */
class Member {
  readonly waits: string[] = [];
  readonly sleeps: number[] = [];
  begun = false;
  onSleep = (): unknown => null;
  readonly registry: Registry;

  constructor(registry = new Registry()) {
    this.registry = registry;
  }

  find(id = 'aa', name = 'n1', url = 'http://10.0.0.1:2380') {
    const client = new DiscoveryClient(URL_OF_TOKEN, this.registry.ask);
    return foundersByDiscovery(client, { name, url }, id, {
      sleep: async (ms) => {
        this.sleeps.push(ms);
        this.onSleep();
        if (this.sleeps.length > 20) throw new Error('waits for ever');
      },
      waiting: (reason) => void this.waits.push(reason),
      hasBegun: () => this.begun,
      begin: async () => {
        this.begun = true;
      },
    });
  }
}

const N1 = { name: 'n1', url: 'http://10.0.0.1:2380' };
const N2 = { name: 'n2', url: 'http://10.0.0.2:2380' };
const N3 = { name: 'n3', url: 'http://10.0.0.3:2380' };
const LOOK = [
  'GET /_config/size?quorum=false&recursive=false&sorted=false',
  'GET ?quorum=false&recursive=false&sorted=false',
];

describe('a member and a discovery service', () => {
  it('speak as etcd does: look, register, confirm, look, wait for the others', async () => {
    const member = new Member();
    member.registry.coming.push(
      ['bb', 'n2=http://10.0.0.2:2380'],
      ['cc', 'n3=http://10.0.0.3:2380'],
    );
    expect(await member.find()).toEqual([N1, N2, N3]);
    expect(member.registry.asked).toEqual([
      ...LOOK,
      'PUT /aa?prevExist=false value=n1%3Dhttp%3A%2F%2F10.0.0.1%3A2380',
      'GET /aa?recursive=false&wait=true&waitIndex=11',
      ...LOOK,
      'GET ?recursive=true&wait=true&waitIndex=12',
      'GET ?recursive=true&wait=true&waitIndex=13',
    ]);
    expect(member.sleeps).toEqual([]);
    expect(member.waits.at(-1)).toBe('waiting for 1 more to register with the discovery service');
  });

  it('take those who came first, in their order', async () => {
    const member = new Member();
    member.registry.register('ff', 'n2=http://10.0.0.2:2380');
    member.registry.register('11', 'n3=http://10.0.0.3:2380');
    expect(await member.find()).toEqual([N2, N3, N1]);
  });

  it('wait on when a wait ends without an event', async () => {
    const member = new Member();
    member.registry.size = '2';
    member.onSleep = () => member.registry.register('bb', 'n2=http://10.0.0.2:2380');
    expect(await member.find()).toEqual([N1, N2]);
    expect(member.sleeps).toEqual([2_000]);
  });

  it('refuse whoever comes when the cluster is full', async () => {
    const member = new Member();
    for (const id of ['1', '2', '3']) member.registry.register(id, `n${id}=http://a:${id}`);
    await expect(member.find()).rejects.toThrow('discovery: cluster is full');
    expect(member.registry.asked).toEqual(LOOK);
  });

  it('refuse whoever registered at the same moment, and too late', async () => {
    const member = new Member();
    const { registry } = member;
    registry.size = '1';
    const ask = registry.ask;
    const raced = async (url: string, init: RequestInit) => {
      if (init.method === 'PUT') registry.register('bb', 'n2=http://10.0.0.2:2380');
      return ask(url, init);
    };
    Object.assign(registry, { ask: raced });
    await expect(member.find()).rejects.toThrow('discovery: cluster is full');
  });

  it('ask again, more and more rarely, while there is no answer', async () => {
    const member = new Member();
    member.registry.size = '1';
    member.registry.faults = ['down', 500, 'down', 'down', 'down', 'down'];
    expect(await member.find()).toEqual([N1]);
    expect(member.sleeps).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 32_000]);
    expect(member.waits[0]).toBe('waiting for the discovery service: connection refused');
    expect(member.waits[1]).toBe('waiting for the discovery service: it answered HTTP 500');
  });

  it('refuse an id that somebody has', async () => {
    const member = new Member();
    member.registry.register('aa', 'n1=http://10.0.0.1:2380');
    await expect(member.find()).rejects.toThrow('discovery: found duplicate id');
  });

  it('go on when the answer to the registration was lost', async () => {
    const member = new Member();
    member.registry.size = '1';
    member.registry.faults = [null, null, 'lost'];
    expect(await member.find()).toEqual([N1]);
  });

  it('go on when the member was lost after its registration, but not its data', async () => {
    const member = new Member();
    member.registry.size = '1';
    member.registry.register('aa', 'n1=http://10.0.0.1:2380');
    member.begun = true;
    expect(await member.find()).toEqual([N1]);
    member.registry.entries.splice(0);
    member.registry.register('aa', 'other=http://10.0.0.1:2380');
    await expect(member.find()).rejects.toThrow('discovery: found duplicate id');
  });

  it.each([
    ['n1=http://10.0.0.2:2380', 'found duplicate name'],
    ['n2=http://10.0.0.1:2380', 'found duplicate URL'],
    ['n2', 'peer URL is invalid'],
    ['n2=unix://socket', 'peer URL is invalid'],
    ['n2=http://10.0.0.2:2380,n2=http://10.0.0.2:7001', 'peer URL is invalid'],
  ])('refuse to found a cluster with %s', async (value, message) => {
    const member = new Member();
    member.registry.size = '2';
    member.registry.register('bb', value);
    await expect(member.find()).rejects.toThrow(`discovery: ${message}`);
  });

  it.each(['', '0', 'three', '-1', '32', '1.5'])('refuse the size "%s"', async (size) => {
    const member = new Member();
    member.registry.size = size;
    await expect(member.find()).rejects.toThrow('discovery: size key is bad');
  });

  it('refuse a token that is not there, or has ended meanwhile', async () => {
    const member = new Member();
    member.registry.size = null;
    await expect(member.find()).rejects.toThrow('discovery: size key not found');
  });

  it.each([
    new Response('<html></html>', { status: 200 }),
    new Response('404 page not found\n', { status: 404 }),
    new Response('unable to GET token', { status: 400 }),
    Response.json({ hello: 'world' }),
  ])('refuse an endpoint that is none', async (answer) => {
    const member = new Member();
    member.registry.instead = must(answer, 'an answer');
    await expect(member.find()).rejects.toThrow('discovery: bad discovery endpoint');
  });
});

describe('the client', () => {
  it('shows the name and password that are in the URL, and reads no endless answer', async () => {
    const seen: [string, unknown][] = [];
    const client = new DiscoveryClient('http://bob:p%20w@a.example/t/', async (url, init) => {
      seen.push([url, new Headers(init.headers).get('authorization')]);
      return new Response('x'.repeat(300_000));
    });
    await expect(client.get('')).rejects.toThrow('more than 262144 bytes');
    expect(seen).toEqual([
      ['http://a.example/t?quorum=false&recursive=false&sorted=false', `Basic ${btoa('bob:p w')}`],
    ]);
  });

  it('takes forgotten history for no news', async () => {
    const body = { errorCode: 401, message: 'cleared', cause: '[1/2]', index: 9 };
    const client = new DiscoveryClient('http://a.example/t', async () =>
      Response.json(body, { status: 400 }),
    );
    expect(await client.wait('', true, 2)).toBeNull();
  });
});
