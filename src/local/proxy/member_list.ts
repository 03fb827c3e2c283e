import { proxyLimits } from '../../config/proxy.ts';

/** What somebody has said about the members of a cluster. */
export interface MemberList {
  readonly clusterId: string | null;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/** Where members are looked for. */
export type Search = 'peers' | 'clients';

/**
 * Asks one URL who the members are: at a peer URL as etcd's proxy does, at a client URL by what
 * that one has. @returns null when it does not say
 */
export async function listMembers(url: string, search: Search): Promise<MemberList | null> {
  const asPeer = await ask(`${url}/members`);
  if (asPeer !== null) return asPeer;
  if (search === 'peers') return null;
  const asClient = await ask(`${url}/v3/cluster/member/list`, { method: 'POST', body: '{}' });
  return asClient ?? (await ask(`${url}/v2/members`));
}

async function ask(url: string, init: RequestInit = {}): Promise<MemberList | null> {
  try {
    const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
    const response = await fetch(url, { ...init, redirect: 'error', signal });
    const text = await boundedText(response);
    if (!response.ok || text === null) return null;
    return readMemberList(text, response.headers.get('x-etcd-cluster-id'));
  } catch {
    return null;
  }
}

async function boundedText(response: Response): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length <= proxyLimits.memberListBytesMax) continue;
    await response.body?.cancel();
    return null;
  }
  return text + decoder.decode();
}

/**
 * Any of the three forms: a list, or a list below `members`. Learners take no requests, and a URL
 * that is none is nobody's. @returns null when it is no list of members
 */
export function readMemberList(text: string, clusterId: string | null): MemberList | null {
  const parsed = parse(text);
  const members = Array.isArray(parsed) ? parsed : field(parsed, 'members');
  if (!Array.isArray(members)) return null;
  const voters = members.filter((member) => field(member, 'isLearner') !== true);
  return {
    clusterId: clusterId ?? headerId(parsed),
    peerUrls: voters.flatMap((member) => urlsOf(field(member, 'peerURLs'))),
    clientUrls: voters.flatMap((member) => urlsOf(field(member, 'clientURLs'))),
  };
}

/** v3 writes it in decimal, the header in hexadecimal. */
function headerId(parsed: unknown): string | null {
  const id = field(field(parsed, 'header'), 'cluster_id');
  return typeof id === 'string' && /^\d+$/.test(id) ? BigInt(id).toString(16) : null;
}

function urlsOf(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((url) => (typeof url === 'string' ? (originOf(url) ?? []) : []));
}

/** An http or https URL without anything behind the host; null: it is none. */
export function originOf(text: string): string | null {
  try {
    const { protocol, origin, pathname, search } = new URL(text);
    const isOrigin = pathname === '/' && search === '';
    return isOrigin && /^https?:$/.test(protocol) ? origin : null;
  } catch {
    return null;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return (value as Record<string, unknown>)[name];
}
