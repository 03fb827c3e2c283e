import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import type { RangeRequest } from '../api/gen/rpc_pb.ts';
import { methodOf } from '../api/methods.ts';
import type { Runtime } from './runtime.ts';
import type { Route, StreamRoute } from './services/index.ts';

/** Routes by gateway path, for clients' calls. */
export function routeOf(runtime: Runtime, path: string): Route | null {
  const method = methodOf(path);
  return method ? (runtime.routes.get(`${method.service}/${method.name}`) ?? null) : null;
}

/** The same of streams. A learner refuses them, as etcd does, but for the snapshot. */
export function streamRouteOf(runtime: Runtime, path: string): StreamRoute | null {
  const method = methodOf(path);
  const route = method && runtime.streamRoutes.get(`${method.service}/${method.name}`);
  if (!route) return null;
  if (!runtime.belonging.isLearner || path === '/v3/maintenance/snapshot') return route;
  return {
    method: route.method,
    open: () => {
      throw EtcdError.of('learnerUnsupported');
    },
  };
}

/**
 * What a learner serves: its own status, and reads that may be old, because it need not have the
 * newest. Who is a learner must not be asked for more by mistake. @throws EtcdError
 */
export function checkServed(
  runtime: Runtime,
  path: string,
  request: MessageShape<DescMessage>,
): void {
  if (!runtime.belonging.isLearner || path === '/v3/maintenance/status') return;
  if (path === '/v3/kv/range' && (request as RangeRequest).serializable) return;
  throw EtcdError.of('learnerUnsupported');
}
