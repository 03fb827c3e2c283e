import { assert } from '../../src/lib/assert.ts';
import { decodeConfChange, encodeConfChange } from '../../src/raft/confchange.ts';
import {
  type ConfChange,
  ConfChangeError,
  changeConf,
  confStateFault,
  enterJoint,
  leaveJoint,
  simpleChange,
} from '../../src/raft/membership.ts';
import type { ConfState, MemberId } from '../../src/raft/message.ts';
import { changeFrom, changesFrom, confKeys, confStateFrom, sectionsOf } from './arguments.ts';
import { printConfState } from './print.ts';
import { type Interpreter, ScriptError } from './script.ts';

/**
 * Scripts about the algebra of configurations: what a change makes of a configuration, and what is
 * refused.
 */
export class ConfigScript implements Interpreter {
  #config: ConfState = {
    voters: [],
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };

  run(command: string): readonly string[] {
    const [name, ...line] = command.split(/\s+/);
    if (name === 'expect') return this.#expect(line);
    try {
      const next = this.#next(name ?? '', line);
      assert(confStateFault(next) === null, `not well formed: ${confStateFault(next)}`);
      if (name !== 'start') assertMajoritiesMeet(this.#config, next);
      this.#config = next;
      return [printConfState(next)];
    } catch (error) {
      if (error instanceof ConfChangeError) return [`refused: ${error.message}`];
      throw error;
    }
  }

  #next(name: string, line: readonly string[]): ConfState {
    switch (name) {
      case 'start':
        return confStateFrom(sectionsOf(line, confKeys)) ?? this.#config;
      case 'simple':
        return simpleChange(this.#config, changesFrom(line));
      case 'joint': {
        const autoLeave = line[0] === 'autoLeave';
        return enterJoint(this.#config, changesFrom(autoLeave ? line.slice(1) : line), autoLeave);
      }
      case 'leave':
        return leaveJoint(this.#config);
      case 'change':
        return changeConf(this.#config, throughBytes(changeFrom(line)));
      default:
        throw new ScriptError(`there is no command ${name}`);
    }
  }

  #expect(line: readonly string[]): readonly string[] {
    const [is, wanted] = [printConfState(this.#config), line.join(' ')];
    if (is !== wanted) throw new ScriptError(`the configuration is ${is}, expected ${wanted}`);
    return [];
  }
}

/** A change as it is logged: through its bytes and back. */
function throughBytes(change: ConfChange): ConfChange {
  const decoded = decodeConfChange(encodeConfChange(change));
  assert(JSON.stringify(decoded) === JSON.stringify(change), 'the bytes say something else');
  return decoded;
}

/**
 * The reason for all rules: a quorum of the configuration before and one of the configuration
 * after have a member in common, whichever they are. Tried for every pair of sets of voters.
 */
function assertMajoritiesMeet(before: ConfState, after: ConfState): void {
  if (before.voters.length === 0) return;
  const everyone = [...new Set([before, after].flatMap(votersOf))];
  for (let chosen = 0; chosen < 2 ** everyone.length; chosen++) {
    const some = everyone.filter((_, bit) => (chosen >> bit) % 2 === 1);
    const others = everyone.filter((id) => !some.includes(id));
    const split = isQuorum(before, some) && isQuorum(after, others);
    assert(!split, `disjoint quorums: ${printConfState(before)} and ${printConfState(after)}`);
  }
}

function votersOf({ voters, votersOutgoing }: ConfState): readonly MemberId[] {
  return [...voters, ...votersOutgoing];
}

function isQuorum({ voters, votersOutgoing }: ConfState, ids: readonly MemberId[]): boolean {
  return [voters, votersOutgoing].every(
    (half) => half.length === 0 || half.filter((id) => ids.includes(id)).length * 2 > half.length,
  );
}
