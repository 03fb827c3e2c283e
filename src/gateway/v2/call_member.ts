import type { MemberRpc } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { encodeStreamCall } from '../../api/stream-call.ts';
import type { KeysWait, V2Call } from '../../api/v2/call.ts';
import { encodeV2Error, V2Error } from '../../api/v2/error.ts';
import { textOf } from '../../lib/bytes.ts';
import { textError } from '../answer.ts';
import { type BodyBounds, readBuffer } from '../body.ts';
import { CORS_HEADERS } from '../cors.ts';
import { type Destination, deliver, destinationOf } from '../delivery.ts';
import type { Site } from '../site.ts';
import { askForStream } from '../streams.ts';
import { basicCredentials } from './credentials.ts';

const FORM = 'application/x-www-form-urlencoded';

const INDEX_HEADERS = ['X-Etcd-Cluster-Id', 'X-Etcd-Index', 'X-Raft-Index', 'X-Raft-Term'];

export function allowed({ method }: Request, methods: readonly string[]): Response | null {
  if (methods.includes(method)) return null;
  return textError(405, 'Method Not Allowed', { Allow: methods.join(',') });
}

function contentType(request: Request): string {
  return (request.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** As bytes: the runtime doubts aloud whether a form is text. */
export async function readBody(request: Request, bounds: BodyBounds): Promise<string> {
  return textOf(new Uint8Array(await readBuffer(request, bounds)));
}

/** The form of a request about keys; empty where it has none that etcd would read. */
export async function keysForm(request: Request, bounds: BodyBounds): Promise<string> {
  const mayHave = request.method === 'PUT' || request.method === 'POST';
  return mayHave && contentType(request) === FORM ? readBody(request, bounds) : '';
}

/** What a member answers to a request that does not wait. */
export async function deliverCall(
  request: Request,
  site: Site,
  call: V2Call,
  isRead: boolean,
): Promise<Response> {
  const credentials = basicCredentials(request.headers);
  const ask = (member: MemberRpc) => member.v2(call, credentials);
  const destination = placeOf(request, isRead);
  return guarded(async () => {
    const { status, headers, body } = await deliver(site.cluster, destination, ask);
    const content = status === 204 ? null : body;
    return new Response(content, { status, headers: { ...CORS_HEADERS, ...headers } });
  });
}

/** What it answers to one that does. */
export async function openWait(request: Request, site: Site, wait: KeysWait): Promise<Response> {
  const init = { method: 'POST', body: JSON.stringify(wait), signal: request.signal };
  const context = { token: null, timeoutMs: null, requireLeader: false };
  const ask = (member: MemberRpc) =>
    askForStream(member, encodeStreamCall({ delivery: 'keys', path: '/v2/keys', context }, init));
  return guarded(async () => {
    const { response } = await deliver(site.cluster, placeOf(request, true), ask);
    const headers = new Headers(CORS_HEADERS);
    for (const name of INDEX_HEADERS) {
      const value = response.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    headers.set('Content-Type', 'application/json');
    headers.set('Cache-Control', 'no-store, no-transform');
    headers.set('X-Accel-Buffering', 'no');
    return new Response(response.body, { status: response.status, headers });
  });
}

/**
 * Reads go where writes go: a client of v2 talks to one member, and finds there what it wrote
 * without asking for a quorum.
 */
function placeOf(request: Request, isRead: boolean): Destination {
  return { ...destinationOf(request, isRead), continent: undefined };
}

/** What never reached a member, in the form of v2. */
async function guarded(answer: () => Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    const told = new V2Error(300, error.message, 0);
    const headers = { 'Content-Type': 'application/json', 'X-Etcd-Index': '0' };
    const body = encodeV2Error(told);
    return new Response(body, { status: told.status, headers: { ...CORS_HEADERS, ...headers } });
  }
}
