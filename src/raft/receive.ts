/** A message comes in: who sent it and in which term decide whether it is heard at all. */
import { unreachable } from '../lib/assert.ts';
import { answerEarlierTerm, handleAppend, handleCommit } from './append.ts';
import { hasBug } from './bugs.ts';
import {
  handleTimeoutNow,
  handleVoteReply,
  handleVoteRequest,
  protectsLeader,
  refuseVote,
} from './election.ts';
import type { Message } from './message.ts';
import { handleProposeRequest } from './propose.ts';
import { wakeOnMessage } from './quiescence.ts';
import { handleReadReply, handleReadRequest } from './reads.ts';
import { handleAppendReply } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { handleInstallSnapshot } from './snapshots.ts';
import { isLeader, type RaftState } from './state.ts';
import { startTransfer } from './transfer.ts';

/** One message. Lost, late, repeated and reordered ones are all normal. */
export function receive(state: RaftState, message: Message): void {
  if (message.to !== state.id || message.from === state.id) return;
  if (!isOfLatestInstance(state, message)) return;
  wakeOnMessage(state, message);
  if (message.term < state.term) answerLowerTerm(state, message);
  else if (message.term === state.term || adoptTerm(state, message)) handle(state, message);
}

/**
 * Whether the sender's instance is the latest known of that member. Why it matters:
 *  1. Instance A1 of a member receives an append for index 90 and stalls before writing.
 *  2. The platform replaces A1 by A2, which reads its log: it ends at 89.
 *  3. A1 wakes and, never having touched storage again, acknowledges 90.
 * Counted, index 90 would be committed without the copy that A2 is believed to have (L6).
 */
function isOfLatestInstance(state: RaftState, message: Message): boolean {
  if (hasBug(state, 'epoch-ignored')) return true;
  const { from, epoch } = message;
  const latest = state.epochs.get(from);
  if (latest !== undefined && epoch < latest) return false;
  if (latest === epoch) return true;
  state.epochs.set(from, epoch);
  // What was under way to the earlier instance is lost with it.
  const progress = latest === undefined ? undefined : state.progress.get(from);
  if (progress?.state === 'replicate') progress.probe();
  return true;
}

/** A later term ends ours, with three exceptions. @returns whether the message is to be handled */
function adoptTerm(state: RaftState, message: Message): boolean {
  switch (message.type) {
    case 'vote':
      if (message.pre && !hasBug(state, 'pre-vote-changes-term')) return true; // The term is a question, not a fact.
      if (protectsLeader(state, message)) {
        refuseVote(state, message);
        return false;
      }
      break;
    case 'voteReply':
      if (message.pre && message.granted) return true; // Ours, as it would be.
      break;
    case 'append':
    case 'commit':
    case 'snapshot':
      becomeFollower(state, message.term, message.from);
      return true;
    case 'appendReply':
      if (!isLeader(state) || !hasBug(state, 'step-down-missing')) break;
      // Without the rule of terms it would pass for an answer to the present round.
      handleAppendReply(state, { ...message, round: state.round });
      return false;
  }
  becomeFollower(state, message.term, null);
  return true;
}

/**
 * The sender is behind. Leaders and candidates are told, so that a higher term spreads: otherwise a
 * member that ran ahead could neither be led nor win (checkquorum and prevote scripts of
 * etcd-io/raft). Everything else is of a past that does not matter any more.
 */
function answerLowerTerm(state: RaftState, message: Message): void {
  if (message.type === 'append' || message.type === 'snapshot') {
    answerEarlierTerm(state, message.from);
  } else if (message.type === 'vote') {
    refuseVote(state, message);
  }
}

function handle(state: RaftState, message: Message): void {
  switch (message.type) {
    case 'append':
      return handleAppend(state, message);
    case 'appendReply':
      return handleAppendReply(state, message);
    case 'vote':
      return handleVoteRequest(state, message);
    case 'voteReply':
      return handleVoteReply(state, message);
    case 'timeoutNow':
      return handleTimeoutNow(state, message);
    case 'snapshot':
      return handleInstallSnapshot(state, message);
    case 'read':
      return handleReadRequest(state, message);
    case 'readReply':
      return handleReadReply(state, message);
    case 'propose':
      return handleProposeRequest(state, message);
    case 'commit':
      return handleCommit(state, message);
    case 'transfer':
      return startTransfer(state, message.transferee);
    default:
      return unreachable(message);
  }
}
