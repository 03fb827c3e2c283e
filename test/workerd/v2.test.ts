import { runInDurableObject } from 'cloudflare:test';
import { env, exports } from 'cloudflare:workers';
import { beforeAll, describe, expect, it } from 'vitest';
import { get, until, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
});

/** A request to the v2 API; `endpoint` names the one member that is to answer it. */
function send(method: string, path: string, form = '', endpoint?: string): Promise<Response> {
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' };
  if (endpoint !== undefined) headers['x-etcd-endpoint'] = endpoint;
  const body = method === 'PUT' || method === 'POST' ? { body: form } : {};
  const query = 'body' in body || form === '' ? '' : `?${form}`;
  const url = `http://edge.example/v2/keys${path}${query}`;
  return exports.default.fetch(new Request(url, { method, headers, ...body }));
}

async function value(path: string, endpoint: string): Promise<string | undefined> {
  const response = await send('GET', path, 'quorum=true', endpoint);
  return ((await response.json()) as { node?: { value?: string } }).node?.value;
}

describe('the v2 API of three members of one deployment', () => {
  it.each(MEMBERS)('takes writes at %s, and reads at all', async (member) => {
    const response = await send('PUT', `/at/${member}`, `value=${member}`, member);
    expect(response.status).toBe(201);
    for (const reader of MEMBERS) expect(await value(`/at/${member}`, reader)).toBe(member);
  });

  it('finds without a quorum what was written before, where no member is named', async () => {
    for (let i = 0; i < 5; i++) {
      await send('PUT', '/mine', `value=${i}`);
      const answer = await send('GET', '/mine');
      expect(await answer.text()).toContain(`"value":"${i}"`);
    }
  });

  it('sends the head of a wait at once, and then the event', async () => {
    const waiting = await send('GET', '/awaited', 'wait=true', 'm2');
    expect(waiting.status).toBe(200);
    const index = Number(waiting.headers.get('X-Etcd-Index'));
    expect(index).toBeGreaterThan(3);
    await send('PUT', '/awaited', 'value=here', 'm3');
    const event = JSON.parse(await waiting.text()) as { node: { value: string } };
    expect(event.node.value).toBe('here');
    const past = await send('GET', '/awaited', `wait=true&waitIndex=${index + 1}`, 'm1');
    expect(JSON.parse(await past.text())).toEqual(event);
  });

  it('ends a node at the same index on all members', async () => {
    const made = await send('PUT', '/short', 'value=x&ttl=1');
    const index = Number(made.headers.get('X-Etcd-Index'));
    const ends = await Promise.all(
      MEMBERS.map(async (member) => {
        const path = '/short';
        const event = await send('GET', path, `wait=true&waitIndex=${index + 1}`, member);
        return event.text();
      }),
    );
    expect(ends[0]).toContain('"action":"expire"');
    const indices = ends.map((text) => /"modifiedIndex":(\d+)/.exec(text)?.[1]);
    expect(new Set(indices).size).toBe(1);
  });

  it('has its tree after an object was ended', async () => {
    await send('PUT', '/kept/x', 'value=still');
    const stub = env.MEMBER.getByName('edgetcd/m2');
    await runInDurableObject(stub, (_, state) => state.abort('ended by the test')).catch(() => {});
    const found = await until(
      () => value('/kept/x', 'm2').catch(() => undefined),
      (answer) => answer !== undefined,
    );
    expect(found).toBe('still');
  });

  it('knows the members and what they do', async () => {
    const members = await until(
      () => get('/v2/members'),
      ({ text }) => !text.includes('"name":""'),
    );
    expect((members.json['members'] as { name: string }[]).map(({ name }) => name).sort()).toEqual(
      MEMBERS,
    );
    expect((await get('/v2/stats/self')).json).toHaveProperty('leaderInfo');
    expect((await get('/v2/stats/store')).json['setsSuccess']).toBeGreaterThan(0);
    expect((await get('/v2/members/leader')).status).toBe(200);
  });
});

describe('GET /members, which proxies of etcd ask for', () => {
  it('names every member, each by a URL that leads here', async () => {
    const response = await exports.default.fetch(new Request('http://edge.example/members'));
    expect(response.headers.get('X-Etcd-Cluster-Id')).toMatch(/^[1-9a-f][0-9a-f]{0,15}$/);
    expect(response.headers.get('Content-Type')).toBe('application/json');
    const text = await response.text();
    // JSON.parse would round the ids.
    expect(text).toMatch(/^\[\{"id":\d{10,20},"peerURLs":\[".*\}\]\n$/);
    const urls = ['http://edge.example'];
    const listed = JSON.parse(text) as { name: string }[];
    expect(listed.sort((a, b) => a.name.localeCompare(b.name))).toMatchObject(
      MEMBERS.map((name) => ({ name, peerURLs: urls, clientURLs: urls })),
    );
  });
});
