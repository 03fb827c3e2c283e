import type { DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import { ERRORS, type ErrorName, EtcdError } from '../../api/error.ts';
import { Cluster } from '../../api/gen/rpc_pb.ts';
import { isPeerUrl, nameInUrl } from '../../api/peer_url.ts';
import type { V2AdminRequest } from '../../api/v2/call.ts';
import { must } from '../../lib/assert.ts';
import type { MemberInfo } from '../../state/member.ts';
import { idOfNumber } from '../identity.ts';
import { complaintAbout, objectOf, stringsOf } from './body.ts';
import type { V2Host } from './host.ts';
import {
  clusterHeader,
  message,
  V2_CONTEXT,
  type V2Answer,
  v2Id,
  v2Json,
  v2Text,
} from './reply.ts';

/** What a change of members can fail with that has an answer of its own. */
type Failures = Partial<Record<ErrorName, V2Answer>>;

/** /v2/members and /v2/machines: the same members as those of v3, changed in the same way. */
export class V2Members {
  readonly #host: V2Host;

  constructor(host: V2Host) {
    this.#host = host;
  }

  /** @throws EtcdError */
  async serve(request: V2AdminRequest): Promise<V2Answer> {
    switch (request.method) {
      case 'GET':
        return this.#show(request.rest);
      case 'POST':
        return this.#add(request);
      case 'DELETE':
        return this.#withId(request, (id) => this.#remove(id));
      default:
        return this.#withId(request, (id) => this.#update(id, request));
    }
  }

  /** The URLs at which clients reach members. */
  machines(): V2Answer {
    const urls = this.#all.flatMap(({ clientUrls }) => clientUrls);
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
    return { status: 200, headers, body: urls.sort().join(', ') };
  }

  /**
   * What etcd answers at its peer port: GET /members. A URL within a deployment leads nobody there
   * from outside; what does is the deployment's own.
   */
  peers(origin: string): V2Answer {
    const members = this.#all.map((member) => shownToPeers(member, origin));
    return v2Json(200, this.#headers, `[${members.join()}]\n`);
  }

  #show(rest: string): V2Answer {
    if (rest === '') {
      const members = this.#all.map(shown);
      return v2Json(200, this.#headers, `${JSON.stringify({ members })}\n`);
    }
    if (rest !== 'leader') return message(404, 'Not found', this.#headers);
    const { leader } = this.#host.node.soft;
    const member = this.#all.find(({ id }) => idOfNumber(id) === leader);
    if (member === undefined) return message(503, 'During election', this.#headers);
    return v2Json(200, this.#headers, `${JSON.stringify(shown(member))}\n`);
  }

  async #add(request: V2AdminRequest): Promise<V2Answer> {
    const peerURLs = this.#urlsOf(request);
    if (!Array.isArray(peerURLs)) return peerURLs as V2Answer;
    const { memberAdd } = Cluster.method;
    const conflict = (name: ErrorName) =>
      message(409, name === 'memberExists' ? 'membership: ID exists' : PEER_URL, this.#headers);
    const failures = {
      peerUrlExists: conflict('peerUrlExists'),
      memberExists: conflict('memberExists'),
    };
    return this.#attempt(failures, async () => {
      const response = await this.#call(memberAdd, { peerURLs: [...peerURLs] });
      const { ID, peerURLs: urls } = must(response.member, 'a member that was added is shown');
      const added = { id: v2Id(idOfNumber(ID)), name: '', peerURLs: urls, clientURLs: [] };
      return v2Json(201, this.#headers, `${JSON.stringify(added)}\n`);
    });
  }

  #remove(ID: bigint): Promise<V2Answer> {
    const shownId = v2Id(idOfNumber(ID));
    if (this.#host.machine.membership.isRemoved(ID)) {
      const gone = message(410, `Member permanently removed: ${shownId}`, this.#headers);
      return Promise.resolve(gone);
    }
    return this.#attempt({ memberNotFound: this.#noSuch(shownId) }, async () => {
      await this.#call(Cluster.method.memberRemove, { ID });
      return { status: 204, headers: this.#headers, body: '' };
    });
  }

  async #update(ID: bigint, request: V2AdminRequest): Promise<V2Answer> {
    const peerURLs = this.#urlsOf(request);
    if (!Array.isArray(peerURLs)) return peerURLs as V2Answer;
    const failures = {
      memberNotFound: this.#noSuch(v2Id(idOfNumber(ID))),
      peerUrlExists: message(409, PEER_URL, this.#headers),
    };
    return this.#attempt(failures, async () => {
      await this.#call(Cluster.method.memberUpdate, { ID, peerURLs: [...peerURLs] });
      return { status: 204, headers: this.#headers, body: '' };
    });
  }

  async #withId(
    { rest }: V2AdminRequest,
    serve: (id: bigint) => Promise<V2Answer>,
  ): Promise<V2Answer> {
    if (rest === '') return v2Text(405, 'Method Not Allowed', this.#headers);
    const isId = /^[\da-fA-F]{1,16}$/.test(rest);
    return isId ? serve(BigInt(`0x${rest}`)) : this.#noSuch(rest);
  }

  /** The URLs in the body, or what is wrong with it. */
  #urlsOf({ contentType, body }: V2AdminRequest): readonly string[] | V2Answer {
    const type = contentType.split(';')[0] ?? '';
    if (type !== 'application/json') {
      return message(415, `Bad Content-Type ${type}, accept application/json`, this.#headers);
    }
    const urls = stringsOf(objectOf(body)?.['peerURLs']);
    if (objectOf(body) === null || urls === null) {
      return message(400, complaintAbout(body), this.#headers);
    }
    const complaint = complaintAboutUrls(urls);
    return complaint === null ? urls : message(400, complaint, this.#headers);
  }

  async #attempt(failures: Failures, change: () => Promise<V2Answer>): Promise<V2Answer> {
    try {
      return await change();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      const names = Object.keys(failures) as ErrorName[];
      const name = names.find((each) => ERRORS[each][1] === error.message);
      const answer = name && failures[name];
      if (answer === undefined) throw error;
      return answer;
    }
  }

  async #call<M extends DescMethod>(
    method: M,
    request: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    const route = this.#host.routes.get(`${method.parent.typeName}/${method.name}`);
    const { serve } = must(route, `${method.name} is served`);
    const asked = create(method.input, request as MessageInitShape<DescMethod['input']>);
    return (await serve(asked as never, V2_CONTEXT)) as MessageShape<M['output']>;
  }

  #noSuch(id: string): V2Answer {
    return message(404, `No such member: ${id}`, this.#headers);
  }

  get #headers(): Record<string, string> {
    return clusterHeader(this.#host.identity.clusterId);
  }

  get #all(): readonly MemberInfo[] {
    return this.#host.machine.members();
  }
}

const PEER_URL = 'membership: peerURL exists';

function shown({ id, name, peerUrls, clientUrls }: MemberInfo) {
  return { id: v2Id(idOfNumber(id)), name, peerURLs: peerUrls, clientURLs: clientUrls };
}

/** JSON with the id as etcd writes it here: a number of 64 bits, which JSON.stringify has not. */
function shownToPeers(member: MemberInfo, origin: string): string {
  const { id, name, isLearner } = member;
  const isInside = member.peerUrls.some((url) => nameInUrl(url) !== '');
  const clientURLs = isInside && member.clientUrls.length === 0 ? [origin] : member.clientUrls;
  const rest = JSON.stringify({
    peerURLs: isInside ? [origin] : member.peerUrls,
    ...(isLearner && { isLearner }),
    ...(name !== '' && { name }),
    ...(clientURLs.length > 0 && { clientURLs }),
  });
  return `{"id":${id},${rest.slice(1)}`;
}

/** In the words of etcd's types.NewURLs. */
function complaintAboutUrls(urls: readonly string[]): string | null {
  if (urls.length === 0) return 'no valid URLs given';
  const wrong = urls.find((url) => !isPeerUrl(url.trim()));
  if (wrong === undefined) return null;
  const [, scheme, rest = ''] = /^(\w+):\/\/(.*)$/.exec(wrong) ?? [];
  if (scheme === undefined || !/^(https?|unixs?|do)$/.test(scheme)) {
    return `URL scheme must be http, https, unix, or unixs: ${wrong}`;
  }
  if (rest.includes('/')) return `URL must not contain a path: ${wrong}`;
  return `URL address does not have the form "host:port": ${wrong}`;
}
