import { create } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { encodeCommand } from '../../../api/command.ts';
import { type Command, type V2Change, V2ExpireSchema } from '../../../api/gen/command_pb.ts';
import { V2Error } from '../../../api/v2/error.ts';
import type { V2Event, V2Node } from '../../../api/v2/event.ts';
import { limits } from '../../../config.ts';
import { must } from '../../../lib/assert.ts';
import { type CommittedEntry, type OpenSnapshot, StateMachine } from '../../machine.ts';
import { MemoryStateStore, type MemoryStoreImage } from '../../memory_store.ts';
import type { ApplyResult } from '../../result.ts';
import { SnapshotReceiver } from '../../snapshot.ts';
import { type ModelEvent, type ModelNode, ModelTree } from './model.ts';

/** A snapshot that is on its way, and what it must bring. */
interface Sending {
  readonly snapshot: OpenSnapshot;
  readonly target: MemoryStateStore;
  readonly receiver: SnapshotReceiver;
  readonly files: readonly ModelNode[];
  readonly chain: number;
}

/** The tree of a state machine on a disk that can crash, driven beside the model. */
export class TreeRig {
  readonly model = new ModelTree();
  #store = new MemoryStateStore();
  #machine = new StateMachine(this.#store);
  #durable: MemoryStoreImage = this.#store.image();
  readonly #entries: CommittedEntry[] = [];
  readonly #chains: number[] = [0];
  #sending: Sending | null = null;
  nowMs = 1_000_000;

  get machine(): StateMachine {
    return this.#machine;
  }

  /** One change at both. */
  change(change: V2Change): void {
    const result = this.#apply({ case: 'v2Change', value: change });
    const expected = this.model.apply(change);
    if ('event' in expected) {
      expect(result.error).toBeNull();
      expect(shown(result.response as V2Event)).toEqual(withoutRefresh(expected.event));
    } else {
      expect(result.error).toBeInstanceOf(V2Error);
      const { errorCode, reason: cause, index } = result.error as V2Error;
      expect({ errorCode, cause, index }).toEqual(expected);
      expect(result.v2Changes).toBeNull();
    }
  }

  expire(): void {
    const result = this.#apply({
      case: 'v2Expire',
      value: create(V2ExpireSchema, { countMax: 3 }),
    });
    const expected = this.model.expire(this.nowMs, 3);
    const events = (result.v2Changes ?? []).map(({ event }) => shown(event));
    expect(events).toEqual(expected.map(withoutRefresh));
  }

  flush(): void {
    this.#machine.flush();
  }

  sync(): void {
    this.#durable = this.#store.image();
  }

  /** Loses memory and everything after the last sync; the log brings it back. */
  crash(): void {
    this.#endSnapshot();
    this.#store.restore(this.#durable);
    this.#machine = new StateMachine(this.#store);
    this.#catchUp();
  }

  openSnapshot(): void {
    if (this.#sending !== null) return;
    const target = new MemoryStateStore();
    const snapshot = this.#machine.openSnapshot();
    this.#sending = {
      snapshot,
      target,
      receiver: new SnapshotReceiver(target),
      files: this.model.files(),
      chain: this.#machine.chain,
    };
  }

  sendChunk(): boolean {
    const chunk = this.#sending?.snapshot.next() ?? null;
    if (chunk !== null) this.#sending?.receiver.write(chunk);
    return chunk !== null;
  }

  /** Goes on from the snapshot that was opened some commands ago. */
  install(): void {
    if (this.#sending === null) return;
    while (this.sendChunk());
    const { target, receiver, files, chain } = this.#sending;
    receiver.finish();
    target.stageInstall();
    this.#endSnapshot();
    this.#store = target;
    this.#machine = new StateMachine(target);
    expect(this.#machine.chain).toBe(chain);
    expect(filesOf(this.#machine)).toEqual(files);
    this.#catchUp();
    this.#durable = target.image();
  }

  /** Everything that can be read: the tree, the index, the history. */
  checkAll(): void {
    const { v2 } = this.#machine;
    expect(v2.index).toBe(this.model.index);
    expect(filesOf(this.#machine)).toEqual(this.model.files());
    const first = Math.max(4, v2.index - limits.v2HistoryEvents + 1);
    const told = this.model.events.map((event, i) => ({ event, index: i + 4 }));
    let from = first;
    for (const { event, index } of told) {
      const isHidden = event.node.key.includes('/_');
      if (index < first || event.isRefresh || isHidden || event.node.key === '/1') continue;
      const found = must(v2.eventAfter('/1', true, from), `an event from ${from} on`);
      expect(found.index).toBe(index);
      expect(shown(found)).toEqual(withoutRefresh(event));
      from = index + 1;
    }
    expect(v2.eventAfter('/1', true, from)).toBeNull();
  }

  #apply(request: Command['request']): ApplyResult {
    const sequence = BigInt(this.#entries.length + 1);
    const timeMs = BigInt(this.nowMs);
    const data = encodeCommand({ memberId: 'm1', epoch: 1n, sequence, timeMs, request });
    const entry = { index: this.#entries.length + 1, term: 1, data };
    this.#entries.push(entry);
    const result = must(this.#machine.apply(entry), 'a new command has a result');
    this.#chains.push(this.#machine.chain);
    return result;
  }

  #catchUp(): void {
    for (const entry of this.#entries.slice(this.#machine.appliedIndex)) {
      this.#machine.apply(entry);
      expect(this.#machine.chain).toBe(this.#chains[entry.index]);
    }
  }

  #endSnapshot(): void {
    this.#sending?.snapshot.close();
    this.#sending = null;
  }
}

/** All nodes of the machine's tree, found by listing one directory after the other. */
function filesOf({ v2 }: StateMachine): ModelNode[] {
  const all: ModelNode[] = [];
  const visit = (directory: string) => {
    for (const name of v2.names(directory)) {
      const path = `${directory}/${name}`;
      all.push(modelNode(v2.get(path, false, 0).node));
      if (v2.file(path) === null) visit(path);
    }
  };
  visit('/1');
  return all.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function shown({ action, node, prevNode }: V2Event) {
  return { action, node: modelNode(node), prevNode: prevNode && modelNode(prevNode) };
}

function withoutRefresh({ action, node, prevNode }: ModelEvent) {
  return { action, node, prevNode };
}

function modelNode({ ttlSeconds: _, nodes: __, ...node }: V2Node): ModelNode {
  return node;
}
