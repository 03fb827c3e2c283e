import { clusterService } from './cluster.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { maintenanceService } from './maintenance.ts';
import type { Route, ServiceHost } from './service.ts';

export type { Route, ServiceHost } from './service.ts';

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
