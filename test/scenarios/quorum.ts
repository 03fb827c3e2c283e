import { assert, must } from '../../src/lib/assert.ts';
import type { MemberId } from '../../src/raft/message.ts';
import { quorumReached, quorumVote, type VoteResult } from '../../src/raft/quorum.ts';
import { numberFrom } from './arguments.ts';
import { idOf, numberOf } from './print.ts';
import { type Interpreter, ScriptError } from './script.ts';

/** A configuration's two halves; the second is empty outside a joint phase. */
interface Halves {
  readonly voters: readonly MemberId[];
  readonly votersOutgoing: readonly MemberId[];
}

/**
 * Scripts about the arithmetic of quorums. Each answer is also computed from the definition, in
 * another way than the core does, so that a table can not be wrong together with the code.
 *
 *   commit 1 2 3 | 3 4 : 1=12 2=5 3=7 4=_
 *   vote 1 2 3 : 1=y 2=n 3=_
 */
export class QuorumScript implements Interpreter {
  run(command: string): readonly string[] {
    const [name, ...line] = command.split(/\s+/);
    const colon = line.indexOf(':');
    if (colon < 0) throw new ScriptError('voters, a colon, and what each has said');
    const halves = halvesFrom(line.slice(0, colon));
    const said = saidFrom(line.slice(colon + 1));
    if (name === 'commit') return commit(halves, said);
    if (name === 'vote') return vote(halves, said);
    throw new ScriptError(`there is no command ${name}`);
  }
}

/** Draws what each voter holds, and the largest index that a quorum holds. */
function commit(halves: Halves, said: ReadonlyMap<MemberId, string>): readonly string[] {
  const reached = (id: MemberId): number => {
    const word = said.get(id) ?? '_';
    return word === '_' ? 0 : numberFrom(word, 'an index');
  };
  const committed = quorumReached(halves, reached);
  const { voters, votersOutgoing } = halves;
  assert(committed === byDefinition(halves, reached), `by definition it is not ${committed}`);
  const mirrored = quorumReached({ voters: votersOutgoing, votersOutgoing: voters }, reached);
  assert(committed === mirrored, 'the halves are not treated alike');

  const ids = [...new Set([...voters, ...votersOutgoing])].sort();
  const values = [...new Set(ids.map(reached))].sort((a, b) => a - b);
  const bars = ids.map((id) => {
    const rank = values.indexOf(reached(id));
    const halfOf = votersOutgoing.length === 0 ? '' : `  ${halfText(halves, id)}`;
    const bar = `${'='.repeat(rank)}>`.padEnd(values.length);
    return `${numberOf(id)} ${bar} ${said.get(id) ?? '_'}${halfOf}`;
  });
  return [...bars, `committed ${Number.isFinite(committed) ? committed : 'everything'}`];
}

function halfText(halves: Halves, id: MemberId): string {
  const incoming = halves.voters.includes(id);
  if (incoming && halves.votersOutgoing.includes(id)) return '(both)';
  return incoming ? '(incoming)' : '(outgoing)';
}

/** The largest index such that in each half more than half of the voters hold it. */
function byDefinition(
  { voters, votersOutgoing }: Halves,
  reached: (id: MemberId) => number,
): number {
  const halves = [voters, votersOutgoing].filter((half) => half.length > 0);
  if (halves.length === 0) return Number.POSITIVE_INFINITY;
  const candidates = [0, ...halves.flat().map(reached)];
  const held = candidates.filter((index) =>
    halves.every((half) => half.filter((id) => reached(id) >= index).length * 2 > half.length),
  );
  return Math.max(...held);
}

function vote(halves: Halves, said: ReadonlyMap<MemberId, string>): readonly string[] {
  const answers: Readonly<Record<string, boolean | undefined>> = { y: true, n: false };
  const result = quorumVote(halves, (id) => answers[said.get(id) ?? '_']);
  const expected = voteByDefinition(halves, said);
  assert(result === expected, `by definition it is ${expected}, not ${result}`);
  return [result];
}

/** Won if the given votes suffice, lost if even all missing ones would not. */
function voteByDefinition(
  { voters, votersOutgoing }: Halves,
  said: ReadonlyMap<MemberId, string>,
): VoteResult {
  const wins = (yes: readonly string[]): boolean =>
    [voters, votersOutgoing].every(
      (half) =>
        half.length === 0 ||
        half.filter((id) => yes.includes(said.get(id) ?? '_')).length * 2 > half.length,
    );
  if (wins(['y'])) return 'won';
  return wins(['y', '_']) ? 'pending' : 'lost';
}

function halvesFrom(line: readonly string[]): Halves {
  const bar = line.indexOf('|');
  const ids = (part: readonly string[]): MemberId[] =>
    part.map((word) => idOf(numberFrom(word, 'a member')));
  if (bar < 0) return { voters: ids(line), votersOutgoing: [] };
  return { voters: ids(line.slice(0, bar)), votersOutgoing: ids(line.slice(bar + 1)) };
}

function saidFrom(line: readonly string[]): ReadonlyMap<MemberId, string> {
  return new Map(
    line.map((word) => {
      const [id, value] = word.split('=');
      return [idOf(numberFrom(id, 'a member')), must(value, `${word} has no value`)];
    }),
  );
}
