import { authService } from './auth.ts';
import { clusterService } from './cluster.ts';
import { Contests } from './contests.ts';
import { electionService } from './election.ts';
import { leaseKeepAlive } from './keep_alive.ts';
import { kvService } from './kv.ts';
import { leaseService } from './lease.ts';
import { lockService } from './lock.ts';
import { maintenanceService, maintenanceStreams } from './maintenance.ts';
import { observeElection } from './observe.ts';
import type { Route, ServiceHost, StreamRoute } from './service.ts';
import { watchService } from './watch.ts';

export type { Route, ServiceClock, ServiceHost, StreamRoute } from './service.ts';

/**
 * All served methods by full gRPC name: `etcdserverpb.KV/Range`.
 * @param bugs see member/bugs.ts; only in tests
 */
export function routesOf(
  host: ServiceHost,
  bugs?: ReadonlySet<string>,
): ReadonlyMap<string, Route> {
  const contests = new Contests(host, bugs);
  const routes = [
    ...kvService(host),
    ...leaseService(host),
    ...lockService(host, contests),
    ...electionService(host, contests),
    ...maintenanceService(host),
    ...clusterService(host),
    ...authService(host),
  ];
  return new Map(
    routes.map((route) => [`${route.method.parent.typeName}/${route.method.name}`, route]),
  );
}

/** All served streams, named likewise. */
export function streamRoutesOf(host: ServiceHost): ReadonlyMap<string, StreamRoute> {
  const routes = [
    watchService(host),
    leaseKeepAlive(host),
    observeElection(host),
    ...maintenanceStreams(host),
  ];
  return new Map(
    routes.map((route) => [`${route.method.parent.typeName}/${route.method.name}`, route]),
  );
}
