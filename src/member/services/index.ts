import { clusterService } from './cluster.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { maintenanceService } from './maintenance.ts';
import type { Route, ServiceHost, StreamRoute } from './service.ts';

export type { Route, ServiceHost, StreamRoute } from './service.ts';

/** All served methods by full gRPC name: `etcdserverpb.KV/Range`. */
export function routesOf(host: ServiceHost): ReadonlyMap<string, Route> {
  const routes = [
    ...kvService(host),
    ...leaseService(host),
    ...maintenanceService(host),
    ...clusterService(host),
  ];
  return new Map(
    routes.map((route) => [`${route.method.parent.typeName}/${route.method.name}`, route]),
  );
}

/** All served streams, named likewise. */
export function streamRoutesOf(_host: ServiceHost): ReadonlyMap<string, StreamRoute> {
  const routes: StreamRoute[] = [];
  return new Map(
    routes.map((route) => [`${route.method.parent.typeName}/${route.method.name}`, route]),
  );
}
