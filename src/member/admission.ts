import { majoritySize } from '../raft/quorum.ts';
import type { FrameReply } from '../transport/frame.ts';
import { type ArrivalHost, arrive } from './arrival.ts';
import { type ClusterIdentity, clusterIdentity } from './identity.ts';
import { join } from './joining.ts';
import type { Peering } from './peering.ts';
import type { MemberSettings } from './settings.ts';

export interface AdmissionHost extends ArrivalHost {
  /** From now on the member answers for this identity, without taking part. */
  present(identity: ClusterIdentity): Peering;
  /** Peers do not accept it, for a reason that waiting does not mend. */
  refused(reason: string): void;
  /** Resolves when what was written so far is durable. */
  durable(): Promise<void>;
}

/**
 * The first start of a member, until it may take part. A founder knows by its settings who it is;
 * one that joins asks. A founder whose data is lost is refused under its old id: when it has been
 * removed and added again, it finds itself under the new one and joins as that. Null: never.
 */
export async function admit(
  settings: MemberSettings,
  host: AdmissionHost,
): Promise<ClusterIdentity | null> {
  await host.durable(); // The database id is durable before anyone is told of it.
  let identity = settings.joining ? null : await clusterIdentity(settings);
  identity ??= await arrive(settings.self, settings.members, null, host);
  for (;;) {
    const refusal = await introduce(identity, host);
    if (refusal === null) return identity;
    host.refused(refusal.reason);
    // Another cluster's refusal: the settings are wrong, and only a restart brings others.
    if (refusal.sender.clusterId !== identity.clusterId) return null;
    identity = await arrive(settings.self, settings.members, identity.memberId, host);
  }
}

function introduce(identity: ClusterIdentity, host: AdmissionHost): Promise<FrameReply | null> {
  const { links, roster } = host.present(identity);
  const others = links.peerIds.length;
  const enough = identity.arrived ? Math.min(others, majoritySize(others)) : others;
  const report = {
    waitingFor: (ids: readonly string[]) => {
      const names = ids.map((id) => roster.nameOf(id) || id);
      host.waiting(`waiting for ${names.join(', ')}`);
    },
  };
  return join(links, enough, (ms) => host.sleep(ms), report);
}
