import type { CallContext, CallReply, MemberRpc, PlainReply } from '../api/call.ts';
import { type Delivery, decodeStreamCall, encodeHints } from '../api/stream-call.ts';
import type { BasicCredentials, V2Call } from '../api/v2/call.ts';
import { textOf, utf8 } from '../lib/bytes.ts';
import { createGateway, type GatewayOptions } from './app.ts';
import type { GatewayEnv } from './env.ts';
import type { Location } from './placement.ts';

/** One call that reached a member. */
export interface Seen {
  readonly object: string;
  readonly path: string;
  readonly body: string;
  readonly context: CallContext | null;
  /** Of a stream, and of what waits. */
  readonly delivery?: Delivery;
}

export const OK: CallReply = { status: 200, body: '{"ok":true}', leader: null, retry: false };
export const REFUSED: CallReply = { status: 503, body: '{"code":14}', leader: null, retry: true };

type Behaviour = () => CallReply | Error;

/** A gateway for tests, in front of members that answer as they are told and note what they saw. */
export class FakeMembers {
  readonly seen: Seen[] = [];
  readonly v2Calls: { call: V2Call; credentials: BasicCredentials }[] = [];
  readonly hints: (Location | undefined)[] = [];
  readonly env: GatewayEnv;
  readonly #gateway;
  readonly #behaviours = new Map<string, Behaviour>();

  constructor(variables: Partial<GatewayEnv> = {}, options: GatewayOptions = {}) {
    this.#gateway = createGateway(options);
    this.env = {
      ALLOW_NONE_AUTHENTICATION: 'yes',
      EDGETCD_ACCESS_LOG: 'off',
      ETCD_INITIAL_CLUSTER: 'm1=do://m1,m2=do://m2,m3=do://m3',
      ...variables,
      MEMBER: {
        getByName: (name, get) => {
          this.hints.push(get?.locationHint);
          return this.#stub(name);
        },
      },
    };
  }

  /** From now on the member answers so; an Error is a call that was lost. */
  behave(member: string, behaviour: Behaviour): void {
    this.#behaviours.set(`edgetcd/${member}`, behaviour);
  }

  fetch(path: string, init: RequestInit & { duplex?: 'half' } = {}): Promise<Response> {
    return this.send(new Request(`http://edge.example${path}`, init));
  }

  post(path: string, body = '{}', headers: Record<string, string> = {}): Promise<Response> {
    return this.fetch(path, { method: 'POST', body, headers });
  }

  send(request: Request): Promise<Response> {
    return this.#gateway.fetch(request, this.env);
  }

  /** The members that were asked, in order, by name. */
  get asked(): string[] {
    return this.seen.map(({ object }) => object.replace('edgetcd/', ''));
  }

  #stub(object: string): MemberRpc {
    const answer = (seen: Omit<Seen, 'object'>): CallReply => {
      this.seen.push({ object, ...seen });
      const reply = this.#behaviours.get(object)?.() ?? OK;
      if (reply instanceof Error) throw reply;
      return reply;
    };
    return {
      call: async (path, body, context) => answer({ path, body, context }),
      v2: async (call, credentials) => {
        this.v2Calls.push({ call, credentials });
        const { body, leader, retry, status } = answer({
          path: '/v2',
          body: call.kind,
          context: null,
        });
        return { status, headers: { 'X-Etcd-Index': '7' }, body, leader, retry };
      },
      inspect: async (path, query): Promise<PlainReply> => {
        const { status } = answer({ path, body: query, context: null });
        return { status, contentType: 'text/plain; charset=utf-8', body: `${path}?${query}` };
      },
      raft: async (body) => {
        const text = textOf(new Uint8Array(body));
        answer({ path: '/raft', body: text, context: null });
        return utf8(`answer to ${text}`).slice().buffer;
      },
      fetch: async (request) => {
        const call = decodeStreamCall(request);
        // Node's Response cannot be a 101: the test looks at who was asked and with what.
        if (call === null || call.delivery === 'socket') {
          const path = call?.path ?? new URL(request.url).pathname;
          answer({ path, body: 'upgrade', context: call?.context ?? null });
          return new Response('switched');
        }
        const { path, context, delivery } = call;
        const reply = answer({ path, body: await request.text(), context, delivery });
        const type = delivery === 'events' ? 'text/event-stream' : 'application/json';
        const headers = { 'content-type': type, ...encodeHints(reply) };
        return new Response(reply.body, { status: reply.status, headers });
      },
    };
  }
}

/** A lost call, as the platform reports one. */
export function platformError(message: string, marks: Record<string, boolean> = {}): Error {
  return Object.assign(new Error(message), marks);
}
