import { unreachable } from '../../src/lib/assert.ts';
import { textOf } from '../../src/lib/bytes.ts';
import { decodeConfChange } from '../../src/raft/confchange.ts';
import type { ConfChange } from '../../src/raft/membership.ts';
import {
  type ConfState,
  type Entry,
  EntryKind,
  type MemberId,
  type Message,
} from '../../src/raft/message.ts';
import type { PersistBatch, SoftState } from '../../src/raft/output.ts';

/** How a scenario writes things down: short enough that a message is one line. */

/** Scenarios number members from 1; the core knows them by 16 hexadecimal digits. */
export function idOf(member: number): MemberId {
  return member.toString(16).padStart(16, '0');
}

export function numberOf(id: MemberId): number {
  return Number.parseInt(id, 16);
}

/** What a filter such as `drop 2->1 voteReply` calls the message. */
export function kindOf(message: Message): string {
  if (message.type === 'vote') return message.pre ? 'preVote' : 'vote';
  if (message.type === 'voteReply') return message.pre ? 'preVoteReply' : 'voteReply';
  return message.type;
}

export function printMessage(message: Message): string {
  const details = detailsOf(message);
  return `${kindOf(message)} t${message.term}${details === '' ? '' : ` ${details}`}`;
}

function detailsOf(message: Message): string {
  switch (message.type) {
    case 'append':
      return words(
        `prev ${message.prevIndex}/${message.prevTerm}`,
        message.entries.length > 0 && `entries ${printRuns(message.entries)}`,
        `commit ${message.commit} round ${message.round}`,
        message.quiesce && 'quiesce',
      );
    case 'appendReply':
      return words(
        `${message.accepted ? 'ok' : 'refused'} ${message.index}`,
        !message.accepted && `hint ${message.hintIndex}/${message.hintTerm}`,
        `round ${message.round}`,
        message.attended && 'attended',
      );
    case 'vote':
      return words(`last ${message.lastIndex}/${message.lastTerm}`, message.transfer && 'transfer');
    case 'voteReply':
      return message.granted ? 'granted' : 'refused';
    case 'timeoutNow':
      return '';
    case 'snapshot':
      return `at ${message.snapshot.index}/${message.snapshot.term} round ${message.round}`;
    case 'read':
      return printReadId(message.id);
    case 'readReply':
      return words(
        printReadId(message.id),
        message.index === null ? 'refused' : `at ${message.index}`,
      );
    case 'propose':
      return message.proposals.map((data) => textOf(data)).join(' ');
    case 'commit':
      return `up to ${message.commit}`;
    case 'transfer':
      return `to ${numberOf(message.transferee)}`;
    default:
      return unreachable(message);
  }
}

/** Indexes and terms, equal terms drawn together: `4..5/2 6/3`. */
export function printRuns(entries: readonly Pick<Entry, 'index' | 'term'>[]): string {
  const runs: { first: number; last: number; term: number }[] = [];
  for (const { index, term } of entries) {
    const run = runs.at(-1);
    if (run?.term === term) run.last = index;
    else runs.push({ first: index, last: index, term });
  }
  return runs
    .map(({ first, last, term }) => `${first === last ? first : `${first}..${last}`}/${term}`)
    .join(' ');
}

/** The epoch of the member that asks, and a number: `#1.2`. */
function printReadId(id: number): string {
  return `#${Math.floor(id / 2 ** 32)}.${id % 2 ** 32}`;
}

/** Index, term and content: `1/1`, `2/1=a`. The entry that opens a term has no content. */
export function printEntry(entry: Entry): string {
  return `${entry.index}/${entry.term}${printContent(entry)}`;
}

/** An entry without its term: `2=a`. */
export function printApplied(entry: Entry): string {
  return `${entry.index}${printContent(entry)}`;
}

/** `=a`; nothing for an entry without content. */
export function printContent({ kind, data }: Pick<Entry, 'kind' | 'data'>): string {
  if (kind === EntryKind.confChange) return `=(${printChange(decodeConfChange(data))})`;
  return data.length === 0 ? '' : `=${textOf(data)}`;
}

/** A change of configuration as scripts write it, joined by commas: `auto,voter,4`. */
function printChange({ transition, changes }: ConfChange): string {
  const names = { addVoter: 'voter', addLearner: 'learner', remove: 'remove' } as const;
  return [transition, ...changes.flatMap(({ type, id }) => [names[type], numberOf(id)])].join(',');
}

export function printBatch(batch: PersistBatch): string {
  const { hardState, entries, snapshot } = batch;
  return words(
    `#${batch.sequence}`,
    hardState &&
      `t${hardState.term} vote ${hardState.vote === null ? 'none' : numberOf(hardState.vote)}`,
    snapshot && `snapshot ${snapshot.meta.index}/${snapshot.meta.term}`,
    entries.length > 0 && `entries ${printRuns(entries)}`,
  );
}

export function printSoftState({ role, leader, term }: SoftState): string {
  const of = leader === null ? 'knows no leader' : `of ${numberOf(leader)}`;
  return role === 'follower' ? `${role} t${term} ${of}` : `${role} t${term}`;
}

/**
 * etcd's drawing of a configuration: voters (incoming and outgoing half), learners, what comes
 * next.
 */
export function printConfState(conf: ConfState): string {
  const set = (ids: readonly MemberId[]): string => `(${ids.map(numberOf).join(' ')})`;
  const outgoing = conf.votersOutgoing.length > 0 ? [conf.votersOutgoing] : [];
  return words(
    `voters=${[conf.voters, ...outgoing].map(set).join('&&')}`,
    conf.learners.length > 0 && `learners=${set(conf.learners)}`,
    conf.learnersNext.length > 0 && `learnersNext=${set(conf.learnersNext)}`,
    conf.autoLeave && 'autoLeave',
  );
}

/** A proposal that was given back. A change of configuration is not text. */
export function printProposal(data: Uint8Array): string {
  return data.some((byte) => byte < 32) ? 'conf' : textOf(data);
}

export function words(...parts: (string | false | null | undefined)[]): string {
  return parts.filter((part) => typeof part === 'string' && part !== '').join(' ');
}
