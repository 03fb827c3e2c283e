import type { DescMessage, DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../src/api/call.ts';
import { EtcdError } from '../../src/api/error.ts';
import { must } from '../../src/lib/assert.ts';
import type { ClusterIdentity } from '../../src/member/identity.ts';
import type { Runtime } from '../../src/member/runtime.ts';
import { type MemberSettings, memberSettings } from '../../src/member/settings.ts';
import type { MemberId } from '../../src/raft/message.ts';
import type { Instance } from './instance.ts';
import type { Plan } from './plan.ts';

const CLUSTER_ID = 'c'.repeat(16);

/** For some of the keys only, so that the others are read. */
export const VERSION_INDEX_BYTES = 400;

/** The settings of a member of a simulated cluster: etcd's defaults, and what the plan says. */
export function settingsOf(plan: Plan, id: MemberId): MemberSettings {
  const settings = memberSettings(`sim/${id}`, {
    ETCD_INITIAL_CLUSTER: plan.members.map((member) => `${member.id}=do://${member.id}`).join(','),
    ALLOW_NONE_AUTHENTICATION: 'yes',
    ETCD_AUTO_COMPACTION_RETENTION: '1h',
    EDGETCD_VERSION_INDEX_BYTES: String(VERSION_INDEX_BYTES),
  });
  return {
    ...settings,
    heartbeatIntervalMs: plan.heartbeatIntervalMs,
    electionTimeoutMs: plan.electionTimeoutMs,
    quiesceAfterMs: plan.quiesceAfterMs,
    snapshotCount: plan.snapshotCount,
    snapshotCatchUpEntries: plan.snapshotCatchUpEntries,
    watchProgressNotifyIntervalMs: plan.electionTimeoutMs * 3,
  };
}

/** Ids that are easy to read, instead of digests of URLs. */
export function identityOf(plan: Plan, memberId: MemberId): ClusterIdentity {
  const members = plan.members.map(({ id }) => ({ id, name: id, url: `do://${id}` }));
  return { clusterId: CLUSTER_ID, memberId, members };
}

/** A client of nobody in particular, with patience. */
export function contextOf(plan: Plan): CallContext {
  return { token: null, timeoutMs: plan.requestTimeoutMs, requireLeader: false };
}

/**
 * Calls a method at an instance, as its gateway would. `done` is told the outcome, unless the
 * instance ends before.
 */
export function callMethod<I extends DescMessage, O extends DescMessage>(
  instance: Instance,
  method: DescMethod & { readonly input: I; readonly output: O },
  request: MessageInitShape<I>,
  context: CallContext,
  done: (outcome: Outcome<MessageShape<O>>) => void,
  signal?: AbortSignal,
): void {
  const serve = async (runtime: Runtime) => {
    const route = runtime.routes.get(`${method.parent.typeName}/${method.name}`);
    const { serve: run } = must(route, `${method.name} is not served`);
    try {
      const response = await run(create(method.input, request) as never, context, signal);
      done({ response: response as MessageShape<O>, error: null });
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      done({ response: null, error });
    }
  };
  const run = () => instance.track(serve(instance.runtime));
  const refuse = () => done({ response: null, error: EtcdError.of('stopped') });
  instance.request('serves', method.name, run, refuse);
}

export type Outcome<T> =
  | { readonly response: T; readonly error: null }
  | { readonly response: null; readonly error: EtcdError };
