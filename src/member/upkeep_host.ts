import { requestTimeoutMs } from '../config.ts';
import type { ClusterIdentity } from './identity.ts';
import type { Node } from './node.ts';
import type { RuntimeHost } from './runtime.ts';
import type { MemberSettings } from './settings.ts';
import type { UpkeepHost } from './upkeep.ts';

/** The member as its upkeep sees it. */
export function upkeepHost(
  node: Node,
  settings: MemberSettings,
  identity: ClusterIdentity,
  host: RuntimeHost,
  compacted: () => Promise<void>,
): UpkeepHost {
  const timeoutMs = requestTimeoutMs(settings.electionTimeoutMs);
  return {
    settings,
    memberId: identity.memberId,
    clusterId: identity.clusterId,
    machine: () => node.machine,
    guard: (work) => node.guard(work),
    leadsTerm: () => (node.soft.role === 'leader' ? node.soft.term : null),
    awake: () => !node.status.raft.quiescent,
    peers: () => {
      const { voters, votersOutgoing, learners } = node.status.raft.confState;
      const all = new Set([...voters, ...votersOutgoing, ...learners]);
      return [...all].filter((id) => id !== identity.memberId);
    },
    exchange: (to, body) => host.links.exchange(to, body),
    propose: (request, onlyInTerm) =>
      new Promise((resolve, reject) => {
        const done: Parameters<Node['propose']>[2] = ({ result, error }) => {
          const refused = error ?? result?.error;
          if (refused) reject(refused);
          else resolve(result);
        };
        node.propose(request, timeoutMs, done, onlyInTerm);
      }),
    compacted,
    nowMs: () => host.nowMs(),
    setTimer: (callback, ms) => host.setTimer(callback, ms),
    log: (level, message) => host.log(level, message),
  };
}
