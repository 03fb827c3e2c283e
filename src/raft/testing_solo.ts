/** One real core among members that the test plays: for rules about single messages. */
import { assert, must } from '../lib/assert.ts';
import { votersOnly } from './membership.ts';
import type {
  AppendReply,
  AppendRequest,
  ConfState,
  Entry,
  InstallSnapshot,
  MemberId,
  Message,
  VoteReply,
  VoteRequest,
} from './message.ts';
import type { RaftOptions } from './options.ts';
import type { Output } from './output.ts';
import type { RaftStatus } from './raft.ts';
import { entry, MemoryDisk, memberId, type TestMember, TestNetwork } from './testing.ts';

export const ME = memberId(1);
export const B = memberId(2);
export const C = memberId(3);
export const D = memberId(4);

/** What arrives in tests comes from B, of term 1 and first instance, unless said otherwise. */
const TO_ME = { from: B, to: ME, term: 1, epoch: 1 } as const;

export function append(fields: Partial<AppendRequest> = {}): AppendRequest {
  const nothing = { prevIndex: 0, prevTerm: 0, entries: [], commit: 0, round: 1, quiesce: false };
  return { ...TO_ME, type: 'append', ...nothing, ...fields };
}

export function appendReply(fields: Partial<AppendReply> = {}): AppendReply {
  const nothing = { round: 0, index: 0, hintIndex: 0, hintTerm: 0, attended: false };
  return { ...TO_ME, type: 'appendReply', accepted: true, ...nothing, ...fields };
}

export function voteRequest(fields: Partial<VoteRequest> = {}): VoteRequest {
  const log = { lastIndex: 0, lastTerm: 0 };
  return { ...TO_ME, type: 'vote', pre: false, transfer: false, ...log, ...fields };
}

export function voteReply(fields: Partial<VoteReply> = {}): VoteReply {
  return { ...TO_ME, type: 'voteReply', pre: false, granted: true, ...fields };
}

export function installSnapshot(
  index: number,
  term: number,
  fields: Partial<InstallSnapshot> = {},
): InstallSnapshot {
  const snapshot = { index, term, confState: votersOnly([ME, B, C]) };
  return { ...TO_ME, type: 'snapshot', transferId: 'x', round: 1, snapshot, ...fields };
}

/** A log whose entries have these terms, from index 1 on. */
export function logOfTerms(...terms: number[]): Entry[] {
  return terms.map((term, i) => entry(i + 1, term, `${i + 1}@${term}`));
}

export interface SoloStart {
  readonly confState?: ConfState;
  readonly term?: number;
  readonly vote?: MemberId;
  readonly log?: readonly Entry[];
  readonly commit?: number;
  readonly applied?: number;
  readonly epoch?: number;
  readonly options?: Partial<RaftOptions>;
}

export class Solo {
  readonly network: TestNetwork;
  readonly member: TestMember;

  /** A follower with this on disk, one of three voters unless said otherwise. */
  constructor(start: SoloStart = {}) {
    const confState = start.confState ?? votersOnly([ME, B, C]);
    const disk = new MemoryDisk(confState);
    disk.log = [...(start.log ?? [])];
    disk.hardState = { term: start.term ?? disk.log.at(-1)?.term ?? 0, vote: start.vote ?? null };
    disk.commit = start.commit ?? 0;
    disk.applied = start.applied ?? 0;
    disk.epoch = (start.epoch ?? 1) - 1;
    this.network = new TestNetwork({ ...confState, voters: [], votersOutgoing: [], learners: [] });
    this.member = this.network.add(ME, disk, start.options);
  }

  /** The member as leader of the term after its log's, by the votes of all others. */
  static leader(start: SoloStart = {}): Solo {
    const solo = new Solo(start);
    solo.member.step({ type: 'campaign' });
    solo.grant(true);
    solo.grant(false);
    assert(solo.status.role === 'leader', 'the votes of all others make a leader');
    return solo;
  }

  /** Everybody asked grants the vote. */
  grant(pre: boolean): void {
    for (const request of this.sent()) {
      if (request.type !== 'vote' || request.pre !== pre) continue;
      const { term, to: from } = request;
      if (this.status.role === 'leader') return;
      this.member.step({ type: 'message', message: voteReply({ from, term, pre }) });
    }
  }

  get status(): RaftStatus {
    return this.member.raft.status;
  }

  get lastOutput(): Output {
    return must(this.member.outputs.at(-1), 'no step was taken');
  }

  /** What was sent since the last call. */
  sent(): Message[] {
    return this.network.queue.splice(0);
  }

  /** Takes the messages in one step. @returns what is sent until the next call */
  receive(...messages: Message[]): Message[] {
    this.sent();
    this.member.step(...messages.map((message) => ({ type: 'message' as const, message })));
    return this.sent();
  }

  /** Takes one message and returns the one answer. */
  ask(message: Message): Message {
    const answers = this.receive(message);
    assert(answers.length === 1, `one answer expected, not ${answers.length}`);
    return must(answers[0], 'an answer');
  }

  /** Lets time pass up to then, with a tick at each deadline. @returns what is sent meanwhile */
  wait(ms: number): Message[] {
    this.sent();
    const until = this.network.nowMs + ms;
    for (;;) {
      const due = this.member.deadlineMs;
      if (due === null || due > until) break;
      this.network.nowMs = Math.max(this.network.nowMs, due);
      this.member.step({ type: 'tick' });
    }
    this.network.nowMs = until;
    return this.sent();
  }

  /** Every append sent is acknowledged by these members. @returns what is sent in turn */
  acknowledge(...from: MemberId[]): Message[] {
    return this.receive(...accepts(this.sent(), from));
  }

  /** These members acknowledge until nothing more is sent to them. */
  settle(...from: MemberId[]): void {
    let sent = this.sent();
    while (accepts(sent, from).length > 0) sent = this.receive(...accepts(sent, from));
  }
}

function accepts(messages: readonly Message[], from: readonly MemberId[]): Message[] {
  return ofType('append', messages)
    .filter(({ to }) => from.includes(to))
    .map(accept);
}

/** The answer of a follower that has everything up to the end of this append. */
export function accept(message: AppendRequest): AppendReply {
  const index = message.prevIndex + message.entries.length;
  return appendReply({ from: message.to, term: message.term, round: message.round, index });
}

/** The messages of one type, narrowed. */
export function ofType<T extends Message['type']>(
  type: T,
  messages: readonly Message[],
): Extract<Message, { type: T }>[] {
  return messages.filter((m): m is Extract<Message, { type: T }> => m.type === type);
}
