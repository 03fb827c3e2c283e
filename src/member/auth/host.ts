import { requestTimeoutMs } from '../../config.ts';
import type { Lessor } from '../lessor.ts';
import type { Node } from '../node.ts';
import type { ProposalOutcome } from '../proposals.ts';
import type { RuntimeHost } from '../runtime.ts';
import type { MemberSettings } from '../settings.ts';
import type { AuthenticationHost } from './authentication.ts';

interface RunningMember extends Pick<AuthenticationHost, 'linearizable' | 'proposeOwn'> {
  readonly node: Node;
  readonly lessor: Lessor;
  readonly settings: MemberSettings;
}

/** A running member as its part for authentication sees it. */
export function authenticationHost(member: RunningMember, host: RuntimeHost): AuthenticationHost {
  const { node, lessor, settings } = member;
  return {
    machine: () => node.machine,
    isLeading: () => lessor.leading,
    wallClockMs: () => host.wallClockMs(),
    setTimer: (callback, ms) => host.setTimer(callback, ms),
    log: (level, message) => host.log(level, message),
    linearizable: (context) => member.linearizable(context),
    proposeOwn: (request, context) => member.proposeOwn(request, context),
    proposeAsLeader: (request, done) => {
      const told = ({ result, error }: ProposalOutcome) => done(!error && !result?.error);
      node.propose(request, requestTimeoutMs(settings.electionTimeoutMs), told, node.soft.term);
    },
  };
}
