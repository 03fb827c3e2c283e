import { utf8 } from '../../src/lib/bytes.ts';
import { encodeConfChange } from '../../src/raft/confchange.ts';
import type {
  ChangeType,
  ConfChange,
  MemberChange,
  Transition,
} from '../../src/raft/membership.ts';
import { type ConfState, type Entry, EntryKind, type MemberId } from '../../src/raft/message.ts';
import type { PacketFilter } from './network.ts';
import { idOf } from './print.ts';
import { ScriptError } from './script.ts';

/** How the words of a command are read. */

export function numberFrom(word: string | undefined, what: string): number {
  const value = Number(word);
  if (word === undefined || !Number.isFinite(value)) {
    throw new ScriptError(`${what} is a number, not ${word}`);
  }
  return value;
}

/** `key values… key values…`: each known key with the words that follow it. */
export function sectionsOf(
  line: readonly string[],
  keys: readonly string[],
): ReadonlyMap<string, readonly string[]> {
  const sections = new Map<string, string[]>();
  let current: string[] | null = null;
  for (const word of line) {
    if (keys.includes(word)) {
      current = [];
      sections.set(word, current);
    } else if (current) current.push(word);
    else throw new ScriptError(`${word} is none of ${keys.join(', ')}`);
  }
  return sections;
}

/** `2`, or `2@1`: the instance of member 2 with epoch 1. */
export function instanceFrom(word: string | undefined): {
  readonly number: number;
  readonly epoch: number | undefined;
} {
  const [number, epoch] = (word ?? '').split('@');
  return {
    number: numberFrom(number === '' ? undefined : number, 'a member'),
    epoch: epoch === undefined ? undefined : numberFrom(epoch, 'an epoch'),
  };
}

/** `1->2`, `*->2`, `2->1@1`, then kinds of messages, then how many. Nothing at all: everything. */
export function filterFrom(line: readonly string[]): {
  readonly filter: PacketFilter;
  readonly epoch: number | undefined;
} {
  const count = /^\d+$/.exec(line.at(-1) ?? '') ? numberFrom(line.at(-1), 'a count') : null;
  const [link, ...rest] = count === null ? line : line.slice(0, -1);
  if (link === undefined || !link.includes('->')) {
    const kinds = link === undefined ? [] : [link, ...rest];
    return { filter: { from: null, to: null, kinds, count }, epoch: undefined };
  }
  const [from, to] = link.split('->');
  const target = to === '*' ? null : instanceFrom(to);
  return {
    filter: {
      from: from === '*' ? null : numberFrom(from, 'a member'),
      to: target ? target.number : null,
      kinds: rest,
      count,
    },
    epoch: target?.epoch,
  };
}

/** `1->2` */
export function linkFrom(word: string | undefined): [from: number, to: number] {
  const [from, to] = (word ?? '').split('->');
  return [numberFrom(from, 'a member'), numberFrom(to, 'a member')];
}

export const confKeys = ['voters', 'outgoing', 'learners', 'learnersNext', 'autoLeave'] as const;

/** A configuration; what is not named is empty. Null when nothing is named. */
export function confStateFrom(sections: ReadonlyMap<string, readonly string[]>): ConfState | null {
  if (!confKeys.some((key) => sections.has(key))) return null;
  const ids = (key: string): MemberId[] =>
    (sections.get(key) ?? []).map((word) => idOf(numberFrom(word, 'a member')));
  return {
    voters: ids('voters'),
    votersOutgoing: ids('outgoing'),
    learners: ids('learners'),
    learnersNext: ids('learnersNext'),
    autoLeave: sections.has('autoLeave'),
  };
}

const changeTypes: Readonly<Record<string, ChangeType>> = {
  voter: 'addVoter',
  learner: 'addLearner',
  remove: 'remove',
};

/** `voter 4 learner 5 remove 1` */
export function changesFrom(line: readonly string[]): readonly MemberChange[] {
  const changes: MemberChange[] = [];
  for (let at = 0; at < line.length; at += 2) {
    const type = changeTypes[line[at] ?? ''];
    if (!type) throw new ScriptError(`${line[at]} is no change`);
    changes.push({ type, id: idOf(numberFrom(line[at + 1], 'a member')) });
  }
  return changes;
}

const transitions: readonly Transition[] = ['auto', 'jointImplicit', 'jointExplicit'];

/** A change as it is proposed: `auto voter 4`; `auto` alone leaves the joint phase. */
export function changeFrom([word, ...line]: readonly string[]): ConfChange {
  const transition = transitions.find((each) => each === word);
  if (!transition) throw new ScriptError(`${word} is no transition`);
  return { transition, changes: changesFrom(line) };
}

/** A word of a log: `3`, `3=a`, `3=(auto,voter,4)`, an entry of term 3. */
export function entryFrom(word: string, index: number): Entry {
  const [term, text = ''] = word.split('=');
  const change = /^\((.+)\)$/.exec(text)?.[1];
  return {
    index,
    term: numberFrom(term, 'a term'),
    kind: change === undefined ? EntryKind.normal : EntryKind.confChange,
    data: change === undefined ? utf8(text) : encodeConfChange(changeFrom(change.split(','))),
  };
}
