import { must } from '../../src/lib/assert.ts';
import { filterFrom, instanceFrom, numberFrom } from './arguments.ts';
import type { Instance } from './instance.ts';
import { matches } from './network.ts';
import { numberOf, printConfState, printContent, printMessage } from './print.ts';
import { ScriptError } from './script.ts';
import { printProgress } from './status.ts';
import type { World } from './world.ts';

/**
 * `expect …` states the fact for which a script was written. It prints nothing, so that rewriting
 * the printed lines cannot rewrite it.
 */
export function expectThat(world: World, line: readonly string[]): void {
  const [subject, ...rest] = line;
  switch (subject) {
    case 'leader':
      return expectLeader(world, rest[0]);
    case 'same':
      return expectSame(world, rest);
    case 'read':
      return expectRead(world, rest);
    case 'silence':
      return expectQueued(world, [], false);
    case 'sent':
      return expectQueued(world, rest, true);
    case 'unsent':
      return expectQueued(world, rest, false);
    default: {
      const { number, epoch } = instanceFrom(subject);
      return expectInstance(world.instance(number, epoch), rest);
    }
  }
}

function check(what: string, actual: unknown, expected: unknown): void {
  const [is, wanted] = [String(actual), String(expected)];
  if (is !== wanted) throw new ScriptError(`${what} is ${is}, expected ${wanted}`);
}

/** `leader 2`: it alone leads in the highest term. `leader none`: nobody leads in any term. */
function expectLeader(world: World, word: string | undefined): void {
  const leaders = world.running().filter(({ raft }) => raft.status.role === 'leader');
  const terms = leaders.map(({ raft }) => raft.status.term);
  const newest = leaders.filter(({ raft }) => raft.status.term === Math.max(...terms));
  check('the leader', newest.map(({ label }) => label).join(' ') || 'none', word);
}

/**
 * `same log`: on every disk. `same state`: applied everywhere. `same log 1 2`: of these members.
 */
function expectSame(world: World, [what, ...numbers]: readonly string[]): void {
  const members = [...world.members.values()].filter(
    ({ number }) => numbers.length === 0 || numbers.includes(String(number)),
  );
  const drawn = members.map(({ number }) => {
    const instance = world.instance(number);
    return what === 'log' ? logText(instance) : instance.state.join(' ');
  });
  for (const each of drawn) check(`a ${what}`, each, drawn[0]);
}

/** `read r1 at 5`, `read r1 fails noLeader`, `read r1 waits`: the last reader of that name. */
function expectRead(world: World, [label, ...answer]: readonly string[]): void {
  const name = must(label, 'which read');
  const answers = world.running().map((instance) => instance.answerTo(name));
  const given = answers.find((each) => each !== null);
  check(`read ${name}`, given ?? 'waits', answer.join(' '));
}

/** Whether a message of that kind is under way. */
function expectQueued(world: World, line: readonly string[], wanted: boolean): void {
  const { filter } = filterFrom(line);
  const found = world.network.queue.filter((packet) => matches(filter, packet));
  if (found.length > 0 === wanted) return;
  const shown = found.map(({ from, to, message }) => `${from}->${to} ${printMessage(message)}`);
  throw new ScriptError(wanted ? 'no such message is under way' : `under way: ${shown.join('; ')}`);
}

/** Facts of one instance; most take one word, the last three the rest of the line. */
const facts: Readonly<Record<string, (instance: Instance) => unknown>> = {
  term: ({ raft }) => raft.status.term,
  of: ({ raft }) => (raft.status.leader === null ? 'none' : numberOf(raft.status.leader)),
  commit: ({ raft }) => raft.status.commit,
  last: ({ raft }) => raft.status.lastIndex,
  applied: ({ state }) => state.length,
  durable: ({ member }) => member.disk.lastIndex,
  first: ({ member }) => member.disk.firstIndex,
  vote: ({ member: { disk } }) =>
    disk.hardState.vote === null ? 'none' : numberOf(disk.hardState.vote),
  dropped: ({ dropped }) => dropped.join(',') || 'none',
  wanted: ({ wanted }) => wanted.join(',') || 'none',
};

const roles = ['leader', 'follower', 'candidate', 'preCandidate'];

function expectInstance(instance: Instance, line: readonly string[]): void {
  for (let at = 0; at < line.length; at++) {
    const word = line[at] ?? '';
    const fact = facts[word];
    const what = `${word} of ${instance.label}`;
    if (fact) check(what, fact(instance), line[++at]);
    else if (roles.includes(word)) check(instance.label, instance.raft.status.role, word);
    else if (word === 'asleep') check(`deadline of ${instance.label}`, instance.deadlineMs, null);
    else if (word === 'awake') check(what, instance.deadlineMs !== null, true);
    else return expectRest(instance, word, line.slice(at + 1));
  }
}

/** `log 1 1=a 2=b`, `state a b`, `progress 2 replicate match 3 next 4`: to the end of the line. */
function expectRest(instance: Instance, word: string, rest: readonly string[]): void {
  const what = `${word} of ${instance.label}`;
  if (word === 'log') check(what, logText(instance), rest.join(' '));
  else if (word === 'state') {
    const values = instance.state.map((line) => line.slice(line.indexOf('=') + 1));
    const texts = values.filter((value) => value !== '' && !value.startsWith('conf:'));
    check(what, texts.join(' '), rest.join(' '));
  } else if (word === 'progress') {
    const peer = numberFrom(rest[0], 'a member');
    check(what, printProgress(instance.raft.status, peer), rest.slice(1).join(' '));
  } else if (word === 'conf') {
    check(what, printConfState(instance.raft.status.confState), rest.join(' '));
  } else throw new ScriptError(`nothing to expect of ${word}`);
}

/** The terms and contents of the entries on disk, as `prepare` takes them. */
function logText({ member }: Instance): string {
  return member.disk.log.map((entry) => `${entry.term}${printContent(entry)}`).join(' ');
}
