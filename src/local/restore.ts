import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { Miniflare } from 'miniflare';
import { type MemberAddress, memberAddresses, memberBindings } from './bindings.ts';
import { bundleWorker } from './bundle.ts';
import { DataDirectory } from './directory.ts';
import { StartError, systemCode } from './error.ts';
import { DirectoryLock } from './lock.ts';
import { planPorts } from './ports.ts';
import type { RestoreOptions } from './restore-command-line.ts';
import type { SnapshotSource } from './snapshot_source.ts';
import { miniflareOptions } from './workerd.ts';

/** The part of a member that fills its database; see src/member/member.ts. */
interface Restorable {
  restore(chunk: Uint8Array | null): Promise<string | null>;
}

/**
 * Makes the databases of a new cluster from a snapshot: each member writes its own, in the runtime
 * that will serve it. The cluster's token is new, and with it all ids, so that members of the
 * cluster that the snapshot was taken of do not take these for their own.
 * @throws StartError; nothing is left behind then
 */
export async function restoreCluster(
  snapshot: SnapshotSource,
  options: RestoreOptions,
  workerEntry: string,
): Promise<void> {
  checkEmpty(options.dataDir);
  const directory = new DataDirectory(options.dataDir);
  directory.create();
  const lock = DirectoryLock.acquire(directory.path);
  try {
    const script = await bundleWorker(workerEntry);
    const ports = planPorts(options.port, options.size);
    const members = memberAddresses(ports);
    const clusterToken = `${options.name}-${randomBytes(8).toString('hex')}`;
    const bindings = (member: MemberAddress) => ({
      ...memberBindings(member, {
        clusterName: options.name,
        clusterToken,
        members,
        identityPorts: ports,
        peerSecret: directory.peerSecret(),
        logLevel: 'warn',
        environment: {},
      }),
      EDGETCD_RESTORE: 'true',
    });
    for (const member of members) {
      const persistPath = directory.memberPath(member.name);
      const object = `${options.name}/${member.name}`;
      await fill(snapshot, object, { script, persistPath, bindings: bindings(member) });
    }
    const { name, size } = options;
    // Last: a directory without it is not a cluster.
    directory.writeRecord({ version: 1, name, size, ports, token: clusterToken });
  } catch (error) {
    lock.release();
    rmSync(directory.path, { recursive: true, force: true });
    throw error;
  }
  lock.release();
}

/** Writes one member's database. */
async function fill(
  snapshot: SnapshotSource,
  object: string,
  spec: Pick<Parameters<typeof miniflareOptions>[0], 'script' | 'persistPath' | 'bindings'>,
): Promise<void> {
  const options = miniflareOptions({ ...spec, port: 0, onLine: () => undefined });
  // No port of its own: it is spoken to through Miniflare alone.
  const miniflare = new Miniflare({ ...options, unsafeDirectSockets: [] });
  try {
    const namespace = await miniflare.getDurableObjectNamespace('MEMBER');
    const member = namespace.get(namespace.idFromName(object)) as unknown as Restorable;
    const take = async (chunk: Uint8Array | null): Promise<void> => {
      const refusal = await member.restore(chunk);
      if (refusal !== null)
        throw new StartError(`${object} does not take the snapshot: ${refusal}`);
    };
    for (const chunk of snapshot.chunks()) await take(chunk);
    await take(null);
  } finally {
    await miniflare.dispose();
  }
}

function checkEmpty(path: string): void {
  let entries: string[];
  try {
    entries = readdirSync(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw new StartError(`data-dir "${path}" could not be read: ${systemCode(error)}`);
  }
  if (entries.length > 0) throw new StartError(`data-dir "${path}" is not empty`);
}
