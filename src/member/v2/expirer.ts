import { create } from '@bufbuild/protobuf';
import { V2ExpireSchema } from '../../api/gen/command_pb.ts';
import { limits, requestTimeoutMs } from '../../config.ts';
import type { ProposalOutcome } from '../proposals.ts';
import type { V2Host } from './host.ts';

/**
 * Ends what has a time to live in the v2 tree. The leader alone looks at the clock, and proposes a
 * command that carries its time: every member ends the same nodes at the same place in the log.
 * While nothing has a time to live there is no timer.
 */
export class V2Expirer {
  readonly #host: V2Host;
  #timerSet = false;
  #proposing = false;

  constructor(host: V2Host) {
    this.#host = host;
  }

  /** There may be something to look after: this member leads now, or a node has been changed. */
  attend(): void {
    if (this.#timerSet || !this.isNeeded) return;
    this.#timerSet = true;
    this.#host.clock.setTimer(() => {
      this.#timerSet = false;
      this.#check();
      this.attend();
    }, limits.v2ExpiryCheckMs);
  }

  get isNeeded(): boolean {
    return this.#host.lessor.leading && this.#host.machine.v2.nextExpirationMs !== null;
  }

  #check(): void {
    const { machine, clock, lessor } = this.#host;
    const nextMs = machine.v2.nextExpirationMs;
    if (!lessor.leading || this.#proposing || nextMs === null) return;
    if (nextMs > clock.wallClockMs()) return;
    this.#propose();
  }

  #propose(): void {
    const { node, lessor, settings } = this.#host;
    this.#proposing = true;
    const value = create(V2ExpireSchema, { countMax: limits.v2ExpiriesPerCommand });
    const timeoutMs = requestTimeoutMs(settings.electionTimeoutMs);
    const done = ({ result }: ProposalOutcome) => {
      this.#proposing = false;
      // More may be over than one command takes: they need not wait for the next look. One that
      // failed does: the member may have stopped.
      if (result !== undefined && !result.error) this.#check();
    };
    node.propose({ case: 'v2Expire', value }, timeoutMs, done, lessor.term);
  }
}
