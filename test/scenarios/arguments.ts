import { idOf } from './print.ts';
import type { ConfState, MemberId } from '../../src/raft/message.ts';
import type { PacketFilter } from './network.ts';
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

/** `1->2`, `*->2`, `2->1@1` and then kinds of messages. Nothing at all: everything. */
export function filterFrom(line: readonly string[]): {
  readonly filter: PacketFilter;
  readonly epoch: number | undefined;
} {
  const [link, ...rest] = line;
  if (link === undefined) return { filter: { from: null, to: null, kinds: [] }, epoch: undefined };
  if (!link.includes('->')) {
    return { filter: { from: null, to: null, kinds: line }, epoch: undefined };
  }
  const [from, to] = link.split('->');
  const target = to === '*' ? null : instanceFrom(to);
  return {
    filter: {
      from: from === '*' ? null : numberFrom(from, 'a member'),
      to: target ? target.number : null,
      kinds: rest,
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
export function confStateFrom(
  sections: ReadonlyMap<string, readonly string[]>,
): ConfState | null {
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
