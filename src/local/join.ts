import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isPeerUrl } from '../api/peer_url.ts';
import { defaults } from '../config.ts';
import { type MemberAddress, memberUrl, newMemberBindings } from './bindings.ts';
import { bundleWorker } from './bundle.ts';
import { type ClusterContext, endLeftovers, LocalCluster, recordProcess } from './cluster.ts';
import { ClusterApi, type ListedMember } from './cluster_api.ts';
import { DataDirectory, type MemberRecord } from './directory.ts';
import { StartError, UsageError } from './error.ts';
import type { JoinOptions } from './join-command-line.ts';
import { DirectoryLock } from './lock.ts';
import { SupervisedMember } from './member.ts';
import { frontsOf } from './member_front.ts';
import type { Output } from './output.ts';
import { freePort, planPeerPorts, portIsFree } from './ports.ts';

/**
 * Takes the data directory of one member more, has the cluster add it when it is the first time,
 * and prepares it, without starting it.
 * @throws StartError when something stands against it; nothing is left behind then
 */
export async function openMember(
  options: JoinOptions,
  context: ClusterContext,
): Promise<LocalCluster> {
  if (options.dataDir === null) throw new UsageError('--data-dir is missing');
  const directory = new DataDirectory(options.dataDir);
  directory.create();
  const lock = DirectoryLock.acquire(directory.path);
  try {
    await endLeftovers(lock, context.output);
    if (directory.readRecord() !== null) {
      throw new StartError(`${directory.path} holds a whole cluster; choose another --data-dir`);
    }
    const record = directory.readMember() ?? (await enlist(options, directory, context));
    const port = options.port ?? record.port;
    const address = { name: record.name, port, peerPort: record.peerPort ?? port };
    for (const wanted of new Set([address.port, address.peerPort])) {
      if (await portIsFree(wanted)) continue;
      throw new StartError(`port ${wanted} is in use; choose another with --port`);
    }
    const member = await supervised(options, context, { record, address, directory, lock });
    const fronts = frontsOf(address, context.environment);
    return new LocalCluster(record.cluster, directory, [member], lock, fronts, true);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The first start: the cluster is asked, and what came of it is kept before anything runs. */
async function enlist(
  options: JoinOptions,
  directory: DataDirectory,
  { output, environment }: ClusterContext,
): Promise<MemberRecord> {
  const { join: url, name } = options;
  if (url === null || name === null) {
    throw new StartError(`${directory.path} holds no member; say which cluster with --join`);
  }
  const secret = environment['PEER_SECRET'] || secretOf(options.secretFrom);
  const port = options.port ?? (await freePort());
  const peerPort = options.grpc ? await peerPortFor(port) : port;
  const peerUrl = options.peerUrl ?? memberUrl(peerPort);
  if (!isPeerUrl(peerUrl)) {
    throw new StartError(`--peer-url must name a host and a port, as http://10.0.0.4:${port}`);
  }
  const members = await listed(new ClusterApi(url, options.user), options, peerUrl, output);
  const peers = members
    .filter(({ peerUrls }) => !peerUrls.includes(peerUrl))
    .flatMap(({ id, name: peer, peerUrls }) =>
      peerUrls.map((at): [string, string] => [peer || `unnamed-${id}`, at]),
    );
  const inside = peers.find(([, at]) => !/^https?:/.test(at));
  if (inside) {
    throw new StartError(
      `the members are objects of one deployment (${inside[1]}): one more is added there, see README`,
    );
  }
  const cluster = environment['EDGETCD_CLUSTER'] || defaults.clusterName;
  const shared = { version: 1, cluster, name, port, peerUrl, peers, secret } as const;
  const record: MemberRecord = peerPort === port ? shared : { ...shared, peerPort };
  directory.writeMember(record);
  return record;
}

/** The next port, as with etcd, or any. */
async function peerPortFor(port: number): Promise<number> {
  const [next = 0] = planPeerPorts([port]);
  return (await portIsFree(next)) ? next : freePort();
}

/** The members, with this one among them. */
async function listed(
  api: ClusterApi,
  { learner, name }: JoinOptions,
  peerUrl: string,
  output: Output,
): Promise<ListedMember[]> {
  const members = await api.members();
  const known = members.find(({ peerUrls }) => peerUrls.includes(peerUrl));
  if (known && known.name !== '') {
    throw new StartError(
      `${known.name} (${known.id}) has ${peerUrl} already, and its data is not here; ` +
        'if that is lost, remove the member from the cluster first',
    );
  }
  const taken = members.find((member) => member.name === name);
  if (taken) throw new StartError(`a member is called ${name} already: ${taken.peerUrls.join()}`);
  if (known) {
    output.line(`${name} was added before, as ${known.id} at ${peerUrl}`);
    return members;
  }
  const now = await api.add(peerUrl, learner);
  const id = now.find(({ peerUrls }) => peerUrls.includes(peerUrl))?.id ?? '';
  output.line(
    `${name} is added to the cluster${learner ? ' as a learner' : ''}: ${id}, ${peerUrl}`,
  );
  return now;
}

async function supervised(
  options: JoinOptions,
  context: ClusterContext,
  parts: {
    readonly record: MemberRecord;
    readonly address: MemberAddress;
    readonly directory: DataDirectory;
    readonly lock: DirectoryLock;
  },
): Promise<SupervisedMember> {
  const { record, address, directory, lock } = parts;
  const { logLevel } = options;
  const { environment, output } = context;
  const bindings = newMemberBindings(record, { port: address.port, logLevel, environment });
  return new SupervisedMember({
    address,
    spec: {
      script: await bundleWorker(context.workerEntry),
      bindings,
      persistPath: directory.memberPath(address.name),
      port: address.peerPort,
    },
    restart: options.restart,
    output,
    onProcess: (pid) => recordProcess(directory, lock, address.name, pid),
  });
}

/** Who may read the cluster's data directory may be a member of it. */
function secretOf(directory: string): string {
  const path = join(directory, 'peer.secret');
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    throw new StartError(
      `cannot read ${path}: name the cluster's data directory with --secret-from, ` +
        'or set PEER_SECRET to the secret of its members',
    );
  }
}
