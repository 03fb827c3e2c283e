import { create } from '@bufbuild/protobuf';
import type { CallContext } from '../../api/call.ts';
import { Code, EtcdError } from '../../api/error.ts';
import {
  DowngradeRequest_DowngradeAction as Action,
  type DowngradeRequest,
  type DowngradeResponse,
  DowngradeResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import type { ServiceHost } from './service.ts';

/** As etcd reads them: major, minor, and a patch with what may follow it, which does not count. */
const VERSION = /^(\d+)\.(\d+)(?:\.\d+(?:[-+][\w.+-]*)?)?$/;

/**
 * An operator says that the members will go back to the release before. As in etcd the wish is kept
 * by the cluster until it is withdrawn; members of another release would act on it.
 */
export async function downgrade(
  host: ServiceHost,
  { action, version }: DowngradeRequest,
  context: CallContext,
): Promise<DowngradeResponse> {
  switch (action) {
    case Action.VALIDATE:
      await validate(host, version, context);
      break;
    case Action.ENABLE: {
      const target = await validate(host, version, context);
      await set(host, true, target, context);
      break;
    }
    case Action.CANCEL:
      await host.linearizable(context);
      if (host.machine.version.downgradeTarget === null) throw EtcdError.of('noInflightDowngrade');
      await set(host, false, '', context);
      break;
    default:
      throw new EtcdError(Code.unknown, 'etcdserver: unknown method');
  }
  const header = host.header(host.machine.revision);
  return create(DowngradeResponseSchema, { header, version: host.machine.version.version ?? '' });
}

/** The version to go back to: one minor release, not more. @throws EtcdError */
async function validate(host: ServiceHost, version: string, context: CallContext): Promise<string> {
  const [, major, minor] = VERSION.exec(version) ?? [];
  if (major === undefined) throw EtcdError.of('wrongDowngradeVersionFormat');
  await host.linearizable(context);
  const { version: current, downgradeTarget } = host.machine.version;
  if (current === null) throw EtcdError.of('clusterVersionUnavailable');
  const [currentMajor = 0, currentMinor = 0] = current.split('.').map(Number);
  if (Number(major) !== currentMajor || Number(minor) !== currentMinor - 1) {
    throw EtcdError.of('invalidDowngradeVersion');
  }
  if (downgradeTarget !== null) throw EtcdError.of('downgradeInProgress');
  return `${currentMajor}.${currentMinor - 1}.0`;
}

async function set(
  host: ServiceHost,
  enabled: boolean,
  targetVersion: string,
  context: CallContext,
): Promise<void> {
  const value = { $typeName: 'edgetcd.DowngradeInfoSet', enabled, targetVersion } as const;
  await host.propose({ case: 'downgradeInfoSet', value }, context);
}
