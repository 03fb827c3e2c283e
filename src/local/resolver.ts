import { lookup, Resolver } from 'node:dns/promises';
import { Response } from 'miniflare';
import { StartError, systemCode } from './error.ts';

const types = { A: 1, AAAA: 28, SRV: 33 } as const;
type RecordType = keyof typeof types;

/** Statuses of DNS: answered (maybe with no records), failed, and no such name. */
const statuses = { noError: 0, serverFailure: 2, noSuchName: 3 } as const;

/** What a member asks: records of a type, each as text. */
export type Lookup = (name: string, type: RecordType) => Promise<readonly string[]>;

/**
 * The system's DNS. SRV records come from its name servers, addresses as every program gets them,
 * from files too. With servers named, all comes from those.
 * @param servers as `127.0.0.1:53,10.0.0.53`, or null
 * @throws StartError
 */
export function systemLookup(servers: string | null): Lookup {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers !== null) {
    try {
      resolver.setServers(servers.split(','));
    } catch {
      throw new StartError(`EDGETCD_DNS_SERVERS must be like 10.0.0.53:53, not "${servers}"`);
    }
  }
  return async (name, type) => {
    if (type === 'SRV') {
      const records = await resolver.resolveSrv(name);
      return records.map(({ priority, weight, port, name: target }) =>
        [priority, weight, port, target].join(' '),
      );
    }
    if (servers !== null) {
      return type === 'A' ? await resolver.resolve4(name) : await resolver.resolve6(name);
    }
    const family = type === 'A' ? 4 : 6;
    return (await lookup(name, { family, all: true })).map(({ address }) => address);
  };
}

/** Answers a member's question in the JSON of DNS over HTTPS. */
export async function answerDns(url: string, find: Lookup): Promise<Response> {
  const { searchParams } = new URL(url);
  const name = searchParams.get('name') ?? '';
  const asked = searchParams.get('type');
  const type = (['A', 'AAAA', 'SRV'] as const).find((known) => known === asked);
  if (type === undefined || name === '') return new Response('Bad Request\n', { status: 400 });
  try {
    const found = await find(name, type);
    const records = found.map((data) => ({ name, type: types[type], TTL: 0, data }));
    return answer(statuses.noError, records);
  } catch (error) {
    return answer(statusOf(systemCode(error)), []);
  }
}

function statusOf(code: string | undefined): number {
  if (code === 'ENODATA') return statuses.noError;
  return code === 'ENOTFOUND' ? statuses.noSuchName : statuses.serverFailure;
}

function answer(status: number, records: readonly object[]): Response {
  return Response.json({ Status: status, Answer: records });
}
