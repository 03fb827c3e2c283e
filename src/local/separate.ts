import { defaults } from '../config.ts';
import { must } from '../lib/assert.ts';
import { bundleWorker } from './bundle.ts';
import { type ClusterContext, endLeftovers, LocalCluster, recordProcess } from './cluster.ts';
import { DataDirectory, type SeparateRecord } from './directory.ts';
import { StartError } from './error.ts';
import { distinctListeners, isOnAll, type Listener, reachableHost } from './listen_url.ts';
import { DirectoryLock } from './lock.ts';
import { SupervisedMember } from './member.ts';
import { MemberFront } from './member_front.ts';
import type { MemberOptions } from './member-command-line.ts';
import { freePort, HOST, portIsFree } from './ports.ts';
import { systemLookup } from './resolver.ts';
import type { WorkerdSpec } from './workerd.ts';

/**
 * Takes the data directory of a member that is started by itself and prepares it, without starting
 * it. How it finds its cluster is its own business: here is only where it listens.
 * @throws StartError when something stands against it; nothing is left behind then
 */
export async function openSeparate(
  options: MemberOptions,
  context: Pick<ClusterContext, 'output' | 'workerEntry'>,
): Promise<LocalCluster> {
  const directory = new DataDirectory(options.dataDir);
  directory.create();
  const lock = DirectoryLock.acquire(directory.path);
  try {
    await endLeftovers(lock, context.output);
    const cluster = options.variables['EDGETCD_CLUSTER'] ?? defaults.clusterName;
    const record = { version: 1, cluster, name: options.name } as const;
    checkDirectory(directory, record);
    const all = distinctListeners([...options.clientListeners, ...options.peerListeners]);
    for (const listener of all) await checkFree(listener);
    const { fronts, sockets } = options.grpc
      ? await behindFronts(options)
      : { fronts: [], sockets: all };
    const member = await supervised(options, context, { directory, lock, sockets });
    directory.writeSeparate(record);
    return new LocalCluster(cluster, directory, [member], lock, fronts, true);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Clients connect to fronts, which speak gRPC too, and these to a port that nobody else knows.
 * Where peers connect to the same place as clients, their requests come through as well.
 */
async function behindFronts({
  name,
  clientListeners,
  peerListeners,
  variables,
}: MemberOptions): Promise<{ fronts: MemberFront[]; sockets: Listener[] }> {
  const clients = distinctListeners(clientListeners);
  const isClients = ({ host, port }: Listener): boolean =>
    clients.some((each) => each.port === port && (each.host === host || isOnAll(each.host)));
  const own = { host: HOST, port: await freePort() };
  return {
    fronts: clients.map((listener) => new MemberFront(name, listener, own.port, variables)),
    sockets: [own, ...distinctListeners(peerListeners).filter((peer) => !isClients(peer))],
  };
}

/** Another name would be another member, which begins with nothing. */
function checkDirectory(directory: DataDirectory, wanted: SeparateRecord): void {
  const { path } = directory;
  if (directory.readRecord() !== null || directory.readMember() !== null) {
    throw new StartError(`${path} belongs to npm start; choose another --data-dir`);
  }
  const kept = directory.readSeparate();
  if (kept === null || (kept.name === wanted.name && kept.cluster === wanted.cluster)) return;
  throw new StartError(
    `${path} holds member ${kept.name} of ${kept.cluster}, not ${wanted.name} of ` +
      `${wanted.cluster}; choose another --data-dir`,
  );
}

async function checkFree({ host, port }: Listener): Promise<void> {
  if (await portIsFree(port, host)) return;
  throw new StartError(`listen tcp ${host}:${port}: bind: address already in use`);
}

async function supervised(
  options: MemberOptions,
  { output, workerEntry }: Pick<ClusterContext, 'output' | 'workerEntry'>,
  parts: {
    readonly directory: DataDirectory;
    readonly lock: DirectoryLock;
    readonly sockets: readonly Listener[];
  },
): Promise<SupervisedMember> {
  const { directory, lock, sockets } = parts;
  const { host, port } = must(options.clientListeners[0], 'a member listens somewhere');
  const address = { name: options.name, host: reachableHost(host), port, peerPort: port };
  return new SupervisedMember({
    address,
    spec: {
      script: await bundleWorker(workerEntry),
      bindings: options.variables,
      persistPath: directory.memberPath(options.name),
      port,
      sockets,
      ...dnsOf(options.variables),
    },
    restart: options.restart,
    output,
    onProcess: (pid) => recordProcess(directory, lock, options.name, pid),
  });
}

/** Whoever names a resolver over HTTPS has it asked; else members ask what this machine asks. */
function dnsOf(variables: MemberOptions['variables']): Pick<WorkerdSpec, 'lookup'> {
  if (variables['EDGETCD_DNS_OVER_HTTPS'] !== undefined) return {};
  return { lookup: systemLookup(variables['EDGETCD_DNS_SERVERS'] ?? null) };
}
