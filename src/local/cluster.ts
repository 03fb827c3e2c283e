import { setTimeout as sleep } from 'node:timers/promises';
import { type MemberAddress, memberAddresses, memberBindings } from './bindings.ts';
import { bundleWorker } from './bundle.ts';
import type { StartOptions } from './command-line.ts';
import { type ClusterRecord, checkRecord, DataDirectory } from './directory.ts';
import { messageOf, StartError } from './error.ts';
import { DirectoryLock } from './lock.ts';
import { SupervisedMember } from './member.ts';
import { frontsOf, type MemberFront } from './member_front.ts';
import type { Output } from './output.ts';
import { planPeerPorts, planPorts, portIsFree } from './ports.ts';
import { killNow } from './process.ts';

const leftoverTimeoutMs = 3_000;
const stopTimeoutMs = 4_500;

/** What a cluster's start depends on besides its options. */
export interface ClusterContext {
  readonly output: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The Worker's source file. */
  readonly workerEntry: string;
}

/** The local cluster: one workerd process per member on one data directory. */
export class LocalCluster {
  readonly name: string;
  readonly directory: DataDirectory;
  readonly members: readonly SupervisedMember[];
  /** It is one member of a cluster that runs elsewhere. */
  readonly joined: boolean;
  private readonly lock: DirectoryLock;
  private readonly fronts: readonly MemberFront[];

  constructor(
    name: string,
    directory: DataDirectory,
    members: readonly SupervisedMember[],
    lock: DirectoryLock,
    fronts: readonly MemberFront[],
    joined = false,
  ) {
    this.joined = joined;
    this.fronts = fronts;
    this.name = name;
    this.directory = directory;
    this.members = members;
    this.lock = lock;
  }

  /**
   * Takes the data directory and prepares the members, without starting them.
   * @throws StartError when something stands against it; nothing is left behind then
   */
  static async open(options: StartOptions, context: ClusterContext): Promise<LocalCluster> {
    const directory = new DataDirectory(options.dataDir);
    directory.create();
    const lock = DirectoryLock.acquire(directory.path);
    try {
      await endLeftovers(lock, context.output);
      const kept = directory.readRecord();
      const plan = planCluster(options, kept, directory.path);
      const removed = kept?.removed ?? [];
      const peerPorts = options.grpc ? planPeerPorts(plan.ports) : plan.ports;
      const all = memberAddresses(plan.ports, peerPorts);
      const addresses = all.filter(({ name }) => !removed.includes(name));
      if (addresses.length === 0) {
        throw new StartError(`all members in ${directory.path} were removed from their cluster`);
      }
      await checkPorts(addresses);
      const script = await bundleWorker(context.workerEntry);
      if (kept === null) directory.writeRecord(plan);
      const shared = {
        clusterName: plan.name,
        clusterToken: kept?.token ?? plan.name,
        members: addresses,
        identityPorts: (kept ?? plan).ports,
        peerSecret: directory.peerSecret(),
        logLevel: options.logLevel,
        environment: context.environment,
      };
      const members = addresses.map(
        (address) =>
          new SupervisedMember({
            address,
            spec: {
              script,
              bindings: memberBindings(address, shared),
              persistPath: directory.memberPath(address.name),
              port: address.peerPort,
            },
            restart: options.restart,
            output: context.output,
            onProcess: (pid) => recordProcess(directory, lock, address.name, pid),
            onRemoved: () => forget(directory, address.name, context.output),
          }),
      );
      const fronts = addresses.flatMap((address) => frontsOf(address, context.environment));
      return new LocalCluster(plan.name, directory, members, lock, fronts);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  /** @throws StartError when a member's process does not come up */
  async start(): Promise<void> {
    for (const front of this.fronts) await front.listen();
    const starts = this.members.map((member) =>
      member.start().catch((error) => {
        throw new StartError(`${member.address.name} does not start: ${messageOf(error)}`);
      }),
    );
    // All are waited for, so that none comes up behind a stop.
    const failed = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
  }

  /** Ends all members, at the latest after the time a user would wait, and frees the directory. */
  async stop(): Promise<void> {
    const stops = Promise.allSettled(this.members.map((member) => member.stop()));
    await Promise.race([stops, sleep(stopTimeoutMs, undefined, { ref: false })]);
    this.kill();
  }

  /** Ends all members at once and frees the directory. */
  kill(): void {
    for (const front of this.fronts) front.close();
    for (const member of this.members) {
      member.kill();
      this.directory.removePid(member.address.name);
    }
    this.lock.release();
  }
}

/** What a new directory will hold, or what it holds, with the ports of this start. */
function planCluster(
  options: StartOptions,
  kept: ClusterRecord | null,
  directory: string,
): ClusterRecord {
  const name = options.name ?? kept?.name ?? options.defaults.name;
  const size = options.size ?? kept?.size ?? options.defaults.size;
  if (kept !== null) checkRecord(kept, { name, size }, directory);
  const first = options.port ?? kept?.ports[0] ?? options.defaults.port;
  return { version: 1, name, size, ports: planPorts(first, size) };
}

/** Members of a supervisor that was killed still have their databases open. */
export async function endLeftovers(lock: DirectoryLock, output: Output): Promise<void> {
  for (const leftover of lock.leftovers) {
    output.warning(`ending process ${leftover.pid}, a member that an earlier start left behind`);
    if (await killNow(leftover, leftoverTimeoutMs)) continue;
    throw new StartError(`process ${leftover.pid} of an earlier start does not end; kill it first`);
  }
}

async function checkPorts(addresses: readonly MemberAddress[]): Promise<void> {
  for (const { name, port, peerPort } of addresses) {
    for (const wanted of new Set([port, peerPort])) {
      if (await portIsFree(wanted)) continue;
      throw new StartError(
        `port ${wanted} is in use (member ${name}); choose another first port with --port`,
      );
    }
  }
}

export function recordProcess(
  directory: DataDirectory,
  lock: DirectoryLock,
  member: string,
  pid: number | null,
): void {
  lock.setMember(member, pid);
  if (pid === null) directory.removePid(member);
  else directory.writePid(member, pid);
}

/** The next start goes without the member. What it has is left to its owner. */
function forget(directory: DataDirectory, member: string, output: Output): void {
  const record = directory.readRecord();
  if (record === null) return;
  directory.writeRecord({ ...record, removed: [...(record.removed ?? []), member] });
  output.warning(
    `${member} was removed from the cluster and is not started again; ` +
      `what it had is in ${directory.memberPath(member)}`,
  );
}
