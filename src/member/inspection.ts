import { create } from '@bufbuild/protobuf';
import type { CallContext, PlainReply } from '../api/call.ts';
import { INTERNAL } from '../api/caller.ts';
import { AlarmType, RangeRequestSchema } from '../api/gen/rpc_pb.ts';
import { messageOf } from '../lib/error.ts';
import { healthReply, inspectHealth, isProbePath } from '../metrics/health.ts';
import { METRICS_CONTENT_TYPE } from '../metrics/member_metrics.ts';
import type { MemberMeter } from './meter.ts';
import type { Runtime } from './runtime.ts';
import { ETCD_VERSION } from './version.ts';

const CONTEXT: CallContext = { token: null, timeoutMs: null, requireLeader: false };

/**
 * The endpoints that are no methods: /version, /metrics, /health, /livez, /readyz and their parts.
 * @param runtime null while the member does not take part; `reason` says why
 */
export async function inspect(
  path: string,
  query: string,
  runtime: Runtime | null,
  reason: string,
  meter: MemberMeter,
): Promise<PlainReply> {
  if (path === '/version') {
    const etcdcluster = runtime?.machine.version.version ?? 'not_decided';
    const body = JSON.stringify({ etcdserver: ETCD_VERSION, etcdcluster });
    return { status: 200, contentType: 'application/json', body };
  }
  if (path === '/metrics') {
    return { status: 200, contentType: METRICS_CONTENT_TYPE, body: meter.render(runtime) };
  }
  if (!runtime) {
    if (path === '/health') return healthReply(reason);
    return { status: 503, contentType: 'text/plain; charset=utf-8', body: `${reason}\n` };
  }
  if (path === '/members') {
    const body = JSON.stringify(runtime.belonging.hints ?? []);
    return { status: 200, contentType: 'application/json', body };
  }
  const reply = await inspectHealth(path, query, probesOf(runtime, meter));
  if (reply === null) {
    return { status: 404, contentType: 'text/plain; charset=utf-8', body: '404 page not found\n' };
  }
  const { success, failures } = meter.metrics.health;
  if (!isProbePath(path)) (reply.status === 200 ? success : failures).inc();
  return reply;
}

function probesOf(runtime: Runtime, meter: MemberMeter): Parameters<typeof inspectHealth>[2] {
  const { check, checks } = meter.metrics.health;
  return {
    alarms: () =>
      runtime.machine
        .alarms()
        .map(({ alarm }) => (alarm === AlarmType.CORRUPT ? 'CORRUPT' : 'NOSPACE')),
    hasLeader: () => runtime.node.soft.leader !== null,
    isLearner: () => runtime.belonging.isLearner,
    read: async (serializable) => {
      try {
        if (!serializable) await runtime.linearizable(CONTEXT);
        const request = create(RangeRequestSchema, { key: new Uint8Array(1), limit: 1n });
        runtime.machine.range(request, INTERNAL);
        return null;
      } catch (error) {
        return messageOf(error);
      }
    },
    checked: (type, name, ok) => {
      check.with(type, name).set(ok ? 1 : 0);
      checks.with(type, name, ok ? 'success' : 'error').inc();
    },
  };
}
