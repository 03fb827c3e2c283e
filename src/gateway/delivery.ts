import type { MemberRpc } from '../api/call.ts';
import { Code, ERRORS, EtcdError } from '../api/error.ts';
import type { Cluster, ClusterHints } from './cluster.ts';

/**
 * Hashing a password takes long, and members of one deployment may share a thread: it is not done
 * where everybody's writes are ordered, if there is another place.
 */
export function isToilsome(path: string): boolean {
  return path === '/v3/auth/authenticate';
}

/** Where a request is to go. */
export interface Destination {
  readonly read: boolean;
  /** The one member that the client asked for (X-Etcd-Endpoint): no other will do. */
  readonly endpoint: string | null;
  /** The continent on which the request came in, where the platform says so. */
  readonly continent: string | undefined;
  /** Another member than the leader, where there is one. */
  readonly sparesLeader: boolean;
}

/** Reads the destination off a request. */
export function destinationOf(request: Request, read: boolean, sparesLeader = false): Destination {
  const cf: unknown = request.cf;
  const continent =
    typeof cf === 'object' && cf !== null && 'continent' in cf ? cf.continent : undefined;
  return {
    read,
    endpoint: request.headers.get('x-etcd-endpoint'),
    continent: typeof continent === 'string' ? continent : undefined,
    sparesLeader,
  };
}

/** What {@link deliver} has to know of a reply; the rest of it is passed on unseen. */
interface Reply extends ClusterHints {
  readonly retry: boolean;
}

/**
 * Asks members until one has an answer.
 *
 * When a call is lost, its request may have been carried out: a read is then asked of another
 * member, a write never, and its client is told that the outcome is unknown. A reply that says
 * `retry` proves that nothing was done, so that even a write may go on to another member.
 * @throws EtcdError when there is no reply
 */
export async function deliver<T extends Reply>(
  cluster: Cluster,
  destination: Destination,
  ask: (member: MemberRpc) => Promise<T>,
): Promise<T> {
  const tried: string[] = [];
  let refusal: T | null = null;
  const { endpoint } = destination;
  if (endpoint !== null && !(await cluster.find(endpoint))) throw memberNotFound();
  let member: string | null = firstMember(cluster, destination);
  while (member !== null) {
    tried.push(member);
    try {
      const reply = await ask(cluster.stub(member));
      cluster.learn(reply);
      if (!reply.retry) return reply;
      refusal = reply;
    } catch (error) {
      cluster.failed(member);
      if (isOverloaded(error)) throw overloaded();
      if (!destination.read) throw connectionLost();
    }
    member = destination.endpoint === null ? cluster.another(tried) : null;
  }
  if (refusal === null) throw connectionLost();
  return refusal;
}

function firstMember(cluster: Cluster, destination: Destination): string {
  const { read, endpoint, continent, sparesLeader } = destination;
  if (endpoint !== null) return endpoint;
  const other = sparesLeader ? cluster.another([cluster.preferred]) : null;
  return other ?? (read ? cluster.nearest(continent) : cluster.preferred);
}

function memberNotFound(): EtcdError {
  return EtcdError.of('memberNotFound');
}

/** The platform turned the request away at the object's door, because too many are queued. */
function isOverloaded(error: unknown): boolean {
  return error instanceof Error && 'overloaded' in error && error.overloaded === true;
}

/**
 * etcd's words under code Unavailable (503): nothing is wrong with the client's own quota, and
 * this is the code on which clients wait before they try again. Trying another member at once
 * would only move the load.
 */
function overloaded(): EtcdError {
  return new EtcdError(Code.unavailable, ERRORS.tooManyRequests[1]);
}

function connectionLost(): EtcdError {
  return EtcdError.of('timeoutDueToConnectionLost');
}
