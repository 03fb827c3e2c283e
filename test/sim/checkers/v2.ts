import type { V2Event } from '../../../src/api/v2/event.ts';
import type { StateMachine } from '../../../src/state/machine.ts';
import type { PastEvent } from '../../../src/state/v2/history.ts';
import type { ModelEvent, ModelNode } from '../../../src/state/v2/testing/model.ts';
import type { Begun } from '../clients.ts';
import type { Instance } from '../instance.ts';
import { holds } from '../violation.ts';
import type { World } from '../world.ts';
import type { CommittedLog } from './committed_log.ts';

/** The index of the first event that the model remembers. */
const FIRST_INDEX = 4;

/** What a read of a client found. */
export interface V2Read {
  readonly path: string;
  /** The value of a file; null: there is none. */
  readonly value: string | null;
  readonly modifiedIndex: number;
  /** Of the tree that it was read from. */
  readonly index: number;
}

/**
 * T1 to T4, about the v2 tree: every member has the tree that the events up to its index make (T1);
 * a quorum read finds what was written before it began (T2); a watch hears of every event once and
 * in order, whatever member, restart or snapshot comes between (T3); what has a time to live ends
 * (T4, a goal of the workload).
 */
export class V2Checker {
  readonly #world: World;
  readonly #log: CommittedLog;
  #pending: (() => void)[] = [];

  constructor(world: World, log: CommittedLog) {
    this.#world = world;
    this.#log = log;
  }

  /** T2: a quorum read that began when `floor` was finished. */
  read(instance: Instance, { floor }: Begun, { path, value, modifiedIndex, index }: V2Read): void {
    this.#world.coverage.add('treeReads');
    this.#pending.push(() => {
      const { treeIndex } = this.#log.momentAt(floor);
      holds(index >= treeIndex, 'T2', () => {
        return `${instance.name} reads ${path} at index ${index}, ${treeIndex} was finished before`;
      });
      const node = this.#filesAt(index).get(path) ?? null;
      const isSame =
        (node?.value ?? null) === value && (node?.modifiedIndex ?? 0) === modifiedIndex;
      holds(isSame, 'T2', () => {
        return `${instance.name} reads ${value} (${modifiedIndex}) at ${path}, must be ${node?.value} (${node?.modifiedIndex})`;
      });
    });
  }

  /** T3: the next event of a watch of everything, whose last one had the index `after`. */
  heard(who: string, after: number, event: PastEvent): void {
    this.#world.coverage.add('treeEvents');
    this.#pending.push(() => {
      const { events } = this.#log.model.tree;
      for (let index = after + 1; index < event.index; index++) {
        const missed = events[index - FIRST_INDEX];
        holds(missed?.isRefresh === true, 'T3', () => `${who} is not told of event ${index}`);
      }
      const expected = events[event.index - FIRST_INDEX];
      holds(expected !== undefined && isSameEvent(expected, event), 'T3', () => {
        return `${who} is told of ${JSON.stringify(event)}, must be ${JSON.stringify(expected)}`;
      });
    });
  }

  /** T1: the machine's files are those that the events up to its index have made. */
  deepCheck(name: string, machine: StateMachine): void {
    if (this.#world.plan.profile !== 'v2') return;
    const { index } = machine.v2;
    const known = index - FIRST_INDEX < this.#log.model.tree.events.length;
    holds(
      known,
      'T1',
      () => `${name} is at index ${index} of the tree, which nobody has committed`,
    );
    const expected = [...this.#filesAt(index).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    const actual = filesOf(machine);
    const isSame = JSON.stringify(actual) === JSON.stringify(expected);
    holds(isSame, 'T1', () => {
      return `${name} has at index ${index} ${JSON.stringify(actual)}, must have ${JSON.stringify(expected)}`;
    });
  }

  /** The step is over, and the committed log knows what it committed. */
  settle(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    for (const check of pending) check();
  }

  /** The files that events up to the index have made, by path. */
  #filesAt(index: number): ReadonlyMap<string, ModelNode> {
    const files = new Map<string, ModelNode>();
    for (const { action, node } of this.#log.model.tree.events.slice(0, index - FIRST_INDEX + 1)) {
      const isGone = action === 'delete' || action === 'expire' || action === 'compareAndDelete';
      if (isGone) {
        for (const path of [...files.keys()]) {
          if (path === node.key || path.startsWith(`${node.key}/`)) files.delete(path);
        }
      } else if (node.dir) files.delete(node.key);
      else files.set(node.key, node);
    }
    return files;
  }
}

function filesOf({ v2 }: StateMachine): ModelNode[] {
  const files: ModelNode[] = [];
  const visit = (directory: string) => {
    for (const name of v2.names(directory)) {
      const path = `${directory}/${name}`;
      const { node } = v2.get(path, false, 0);
      if (node.value === null) visit(path);
      else files.push(modelNode(node));
    }
  };
  visit('/1');
  return files.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function modelNode(node: V2Event['node']): ModelNode {
  const { key, value, dir, expirationMs, createdIndex, modifiedIndex } = node;
  return { key, value, dir, expirationMs, createdIndex, modifiedIndex };
}

/** Whether the event is the model's, but for what depends on the moment in which it is shown. */
export function isSameEvent(expected: ModelEvent, { action, node, prevNode }: V2Event): boolean {
  const shown = (each: V2Event['node'] | ModelNode | null) =>
    each === null ? 'none' : JSON.stringify(modelNode({ ttlSeconds: 0, nodes: [], ...each }));
  const isSameNode = shown(expected.node) === shown(node);
  return expected.action === action && isSameNode && shown(expected.prevNode) === shown(prevNode);
}
