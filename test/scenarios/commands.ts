import { must } from '../../src/lib/assert.ts';
import {
  changeFrom,
  confKeys,
  confStateFrom,
  entryFrom,
  filterFrom,
  instanceFrom,
  linkFrom,
  numberFrom,
  sectionsOf,
} from './arguments.ts';
import { expectThat } from './expect.ts';
import type { Instance } from './instance.ts';
import { idOf, printEntry, printMessage, words } from './print.ts';
import { type Interpreter, ScriptError } from './script.ts';
import { moveSnapshot } from './snapshot.ts';
import { statusLine } from './status.ts';
import { type ClusterOptions, World } from './world.ts';

type Command = (world: World, line: readonly string[]) => void;

/** The commands of a script about the core. README.md explains each. */
const commands: Readonly<Record<string, Command>> = {
  prepare,
  campaign: (world, [member]) => target(world, member).step([{ type: 'campaign' }]),
  propose: (world, [member, ...texts]) => target(world, member).propose(texts),
  conf: (world, [member, ...change]) => target(world, member).reconfigure(changeFrom(change)),
  read: (world, [member, label]) => target(world, member).read(must(label, 'a read has a label')),
  transfer: (world, [member, to]) => {
    const transferee = idOf(numberFrom(to, 'a member'));
    target(world, member).step([{ type: 'transferLeadership', to: transferee }]);
  },
  tick: (world, [member]) => target(world, member).step([{ type: 'tick' }]),
  unreachable: (world, [link]) => {
    const [from, to] = linkFrom(link);
    world.instance(from).step([{ type: 'unreachable', peer: idOf(to) }]);
  },

  deliver: (world, line) => {
    const { filter, epoch } = filterFrom(line);
    if (world.deliver(filter, epoch) === 0) throw new ScriptError('nothing to deliver');
  },
  turn: (world, [number]) => world.turn(numberFrom(number, 'a member')),
  stabilize: (world) => world.stabilize(),
  settle: (world) => quietly(world, () => world.stabilize()),
  advance: (world, [ms]) => world.advance(numberFrom(ms, 'a time'), false),
  run: (world, [ms]) => quietly(world, () => world.advance(numberFrom(ms, 'a time'), true)),
  queue: (world) => {
    for (const { from, to, message } of world.network.queue) {
      world.print(`${from}->${to} ${printMessage(message)}`);
    }
  },
  drop: (world, line) => {
    const dropped = world.network.take(filterFrom(line).filter);
    if (dropped.length === 0) throw new ScriptError('nothing to drop');
    for (const { from, to, message } of dropped) {
      world.print(`${from}->${to} ${printMessage(message)} (lost)`);
    }
  },
  duplicate: (world, line) => {
    const copies = world.network.duplicate(filterFrom(line).filter);
    if (copies.length === 0) throw new ScriptError('nothing to repeat');
  },
  delay: (world, line) => {
    const delayed = world.network.delay(filterFrom(line).filter);
    if (delayed.length === 0) throw new ScriptError('nothing to delay');
  },
  hold: (world, line) => world.network.hold(filterFrom(line).filter),
  release: (world) => world.network.release(),
  cut,
  heal: (world) => world.network.heal(),

  disk: (world, [number, mode]) => {
    world.member(numberFrom(number, 'a member')).diskAuto = modeFrom(mode) === 'auto';
  },
  persist: (world, [member, count]) => {
    const instance = target(world, member);
    if (instance.unconfirmed.length === 0) throw new ScriptError('no write is under way');
    instance.confirm(
      count === undefined ? instance.unconfirmed.length : numberFrom(count, 'a count'),
    );
  },
  apply: (world, [member, mode]) => {
    const instance = target(world, member);
    if (mode !== undefined) instance.member.applyAuto = modeFrom(mode) === 'auto';
    else {
      instance.apply();
      instance.step([]);
    }
  },
  compact: (world, [member, index]) => {
    const instance = target(world, member);
    const at = numberFrom(index, 'an index');
    // As the runtime does: the core forgets first, then the rows go.
    instance.step([{ type: 'compact', index: at }]);
    instance.member.disk.compact(at);
  },
  snapshot: moveSnapshot,

  crash: (world, [number]) => world.crash(numberFrom(number, 'a member')),
  restart: (world, [number]) => {
    const member = numberFrom(number, 'a member');
    world.crash(member);
    world.boot(member);
  },
  zombie: (world, [number]) => {
    const old = world.instance(numberFrom(number, 'a member'));
    world.boot(old.member.number);
    world.print(`${old.label} runs on beside ${old.member.number}`);
  },
  pause: (world, [member]) => {
    target(world, member).paused = true;
  },
  resume: (world, [member]) => {
    target(world, member).paused = false;
  },
  timeout: (world, [number, ...times]) => {
    const member = world.member(numberFrom(number, 'a member'));
    member.timeouts = times.map((ms) => world.shareOfTimeout(numberFrom(ms, 'a time')));
    member.timeoutsDrawn = 0;
  },

  log: (world, [member]) => {
    const instance = target(world, member);
    const { disk } = instance.member;
    world.print(
      words(
        instance.label,
        disk.firstIndex > 1 && `(compacted to ${disk.firstIndex - 1})`,
        disk.log.map(printEntry).join(' ') || 'empty',
      ),
    );
  },
  status: (world, [member]) => {
    const shown = member === undefined ? world.running() : [target(world, member)];
    for (const instance of shown) world.print(statusLine(instance));
  },
  expect: (world, line) => expectThat(world, line),
};

/** Runs the commands of one script. The first one is `cluster`. */
export class CoreScript implements Interpreter {
  #world: World | null = null;
  readonly #bugs: ReadonlySet<string>;

  /** @param bugs historic bugs to run with, by name */
  constructor(bugs: ReadonlySet<string> = new Set()) {
    this.#bugs = bugs;
  }

  run(command: string): readonly string[] {
    const [name, ...line] = command.split(/\s+/);
    if (name === 'cluster') {
      this.#world = cluster(line, this.#bugs);
      return this.#world.takeLines();
    }
    const world = must(this.#world, 'a script begins with the command cluster');
    const carryOut = commands[name ?? ''];
    if (!carryOut) throw new ScriptError(`there is no command ${name}`);
    carryOut(world, line);
    return world.takeLines();
  }
}

const optionKeys = {
  heartbeat: 'heartbeatIntervalMs',
  election: 'electionTimeoutMs',
  appendBytes: 'appendBytesMax',
  inflight: 'inflightAppendsMax',
  uncommittedBytes: 'uncommittedBytesMax',
  applyBytes: 'applyBytesMax',
  cacheBytes: 'cacheBytesMax',
  quiesce: 'quiesceAfterMs',
} as const satisfies Record<string, Exclude<keyof ClusterOptions, 'bugs'>>;

/**
 * `cluster 3 heartbeat 100 leader 1`: members 1 to 3 are voters unless a configuration is given.
 */
function cluster([size, ...rest]: readonly string[], bugs: ReadonlySet<string>): World {
  const sections = sectionsOf(rest, [...Object.keys(optionKeys), 'leader', ...confKeys]);
  const options: { -readonly [K in keyof ClusterOptions]: ClusterOptions[K] } = {
    heartbeatIntervalMs: 100,
    electionTimeoutMs: 1_000,
    appendBytesMax: 1_000_000,
    inflightAppendsMax: 4,
    uncommittedBytesMax: 1_000_000,
    applyBytesMax: 1_000_000,
    cacheBytesMax: 1_000_000,
    quiesceAfterMs: 0,
    bugs,
  };
  for (const [key, option] of Object.entries(optionKeys)) {
    const given = sections.get(key);
    if (given) options[option] = numberFrom(given[0], key);
  }
  const world = new World(options);
  const count = numberFrom(size, 'the size');
  const numbers = Array.from({ length: count }, (_, position) => position + 1);
  const confState = confStateFrom(sections) ?? {
    voters: numbers.map(idOf),
    votersOutgoing: [],
    learners: [],
    learnersNext: [],
    autoLeave: false,
  };
  for (const number of numbers) world.add(number, count, confState);
  const leader = sections.get('leader')?.[0];
  if (leader !== undefined) {
    target(world, leader).step([{ type: 'campaign' }]);
    world.stabilize();
  }
  world.takeLines();
  return world;
}

/**
 * `prepare 2 term 3 vote 1 log 1 1=a 2=b applied 1`: rows of an earlier life; then the member
 * starts.
 */
function prepare(world: World, [number, ...rest]: readonly string[]): void {
  const { disk, number: member } = world.member(numberFrom(number, 'a member'));
  const sections = sectionsOf(rest, ['term', 'vote', 'log', 'applied', ...confKeys]);
  const entries = (sections.get('log') ?? []).map((word, at) => entryFrom(word, at + 1));
  const vote = sections.get('vote')?.[0];
  const term = sections.get('term')?.[0] ?? String(entries.at(-1)?.term ?? 0);
  world.crash(member);
  disk.prepare({
    hardState: {
      term: numberFrom(term, 'a term'),
      vote: vote === undefined ? null : idOf(numberFrom(vote, 'a member')),
    },
    entries,
    applied: numberFrom(sections.get('applied')?.[0] ?? '0', 'an index'),
    confState: confStateFrom(sections) ?? disk.confState,
  });
  disk.epoch = 0;
  world.boot(member);
}

/**
 * `cut 1 | 2 3` parts groups, `cut 1->2` one direction; `cut 1 | 3` leaves both in touch with 2.
 */
function cut(world: World, line: readonly string[]): void {
  const text = line.join(' ');
  if (text.includes('->')) {
    for (const link of line) world.network.cut(...linkFrom(link));
    return;
  }
  const groups = text.split('|').map((group) =>
    group
      .trim()
      .split(' ')
      .map((word) => numberFrom(word, 'a member')),
  );
  for (const group of groups) {
    for (const other of groups) {
      if (other === group) continue;
      for (const from of group) for (const to of other) world.network.cut(from, to);
    }
  }
}

function target(world: World, word: string | undefined): Instance {
  const { number, epoch } = instanceFrom(word);
  return world.instance(number, epoch);
}

function modeFrom(word: string | undefined): 'auto' | 'manual' {
  if (word === 'auto' || word === 'manual') return word;
  throw new ScriptError(`auto or manual, not ${word}`);
}

/** Only what changes roles or answers clients is printed. */
function quietly(world: World, action: () => void): void {
  world.loud = false;
  try {
    action();
  } finally {
    world.loud = true;
  }
}
