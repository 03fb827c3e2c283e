import { type V2Change, V2Method } from '../../../api/gen/command_pb.ts';
import type { V2ErrorCode } from '../../../api/v2/error.ts';
import type { V2Action } from '../../../api/v2/event.ts';

/** A node of the model: a directory has children, a file a value. */
interface Leaf {
  readonly value: string | null;
  readonly created: number;
  readonly modified: number;
  readonly expirationMs: number;
  readonly children: Map<string, Leaf>;
}

/** A node as an event shows it. */
export interface ModelNode {
  readonly key: string;
  readonly value: string | null;
  readonly dir: boolean;
  readonly expirationMs: number;
  readonly createdIndex: number;
  readonly modifiedIndex: number;
}

export interface ModelEvent {
  readonly action: V2Action;
  readonly node: ModelNode;
  readonly prevNode: ModelNode | null;
  readonly isRefresh: boolean;
}

export type ModelOutcome =
  | { readonly event: ModelEvent }
  | { readonly errorCode: V2ErrorCode; readonly cause: string; readonly index: number };

/** Ends a command. Thrown, but no Error: nobody reads its stack. */
class Failure {
  readonly outcome: ModelOutcome;

  constructor(outcome: ModelOutcome) {
    this.outcome = outcome;
  }
}

/**
 * etcd's v2 store as its documentation tells it, with maps in maps and every event remembered: the
 * reference that the rows are compared with.
 */
export class ModelTree {
  index = 3;
  readonly events: ModelEvent[] = [];
  readonly #root = directory(0);

  constructor() {
    this.#root.children.set('1', directory(0));
  }

  apply(change: V2Change): ModelOutcome {
    try {
      return { event: this.#apply(change) };
    } catch (failure) {
      if (failure instanceof Failure) return failure.outcome;
      throw failure;
    }
  }

  /** All that is over ends, by time and then by path. */
  expire(nowMs: number, countMax: number): ModelEvent[] {
    const ended: ModelEvent[] = [];
    while (ended.length < countMax) {
      const due = this.files()
        .filter(({ expirationMs }) => expirationMs > 0 && expirationMs <= nowMs)
        .sort((a, b) => a.expirationMs - b.expirationMs || (a.key < b.key ? -1 : 1))[0];
      if (due === undefined) break;
      ended.push(this.#take('expire', due.key, this.#find(due.key)));
    }
    return ended;
  }

  /** How many nodes should have ended by then. */
  endingBefore(nowMs: number): number {
    const isOver = ({ expirationMs }: ModelNode) => expirationMs > 0 && expirationMs <= nowMs;
    return this.files().filter(isOver).length;
  }

  /** Everything below the root of the keys, by path. */
  files(): ModelNode[] {
    const all: ModelNode[] = [];
    const visit = (path: string, leaf: Leaf) => {
      for (const [name, child] of leaf.children) {
        all.push(shown(`${path}/${name}`, child));
        visit(`${path}/${name}`, child);
      }
    };
    visit('', this.#root);
    return all.filter(({ key }) => key !== '/1').sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #apply(change: V2Change): ModelEvent {
    const { method, path, prevExist } = change;
    const compares = change.prevIndex > 0n || change.prevValue !== '';
    if (method === V2Method.POST) {
      return this.#create(`${path}/${String(this.index + 1).padStart(20, '0')}`, change);
    }
    if (method === V2Method.DELETE) {
      return compares ? this.#compareAndDelete(path, change) : this.#delete(path, change);
    }
    if (prevExist === false) return this.#create(path, change);
    if (compares) return this.#swap(path, change);
    return prevExist === true ? this.#update(path, change) : this.#set(path, change);
  }

  #create(path: string, change: V2Change): ModelEvent {
    this.#refuseRoot(path);
    const parent = this.#parent(path, true);
    if (parent.children.has(nameOf(path))) throw this.#failure(105, path);
    return this.#put('create', path, change, change.value, null);
  }

  #set(path: string, change: V2Change): ModelEvent {
    const found = this.#look(path);
    if (found === 'file' || (found === null && change.refresh)) this.#find(path);
    this.#refuseRoot(path);
    const old = found === 'file' ? null : found;
    if (old?.value === null) throw this.#failure(102, path);
    const value = change.refresh ? (old?.value ?? '') : change.value;
    return this.#put('set', path, change, value, old && shown(path, old));
  }

  #put(
    action: V2Action,
    path: string,
    change: V2Change,
    value: string,
    prevNode: ModelNode | null,
  ): ModelEvent {
    const parent = this.#parent(path, true);
    const index = this.index + 1;
    const leaf = leafOf(change.dir ? null : value, index, index, Number(change.expirationMs));
    parent.children.set(nameOf(path), leaf);
    return this.#happen(action, shown(path, leaf), prevNode, change.refresh);
  }

  #update(path: string, change: V2Change): ModelEvent {
    this.#refuseRoot(path);
    const old = this.#find(path);
    if (old.value === null && change.value !== '') throw this.#failure(102, path);
    const index = this.index + 1;
    const isDirectory = old.value === null;
    const value = change.refresh ? old.value : change.value;
    const modified = isDirectory ? old.modified : index;
    const leaf: Leaf = {
      ...leafOf(isDirectory ? null : value, old.created, modified, Number(change.expirationMs)),
      children: old.children,
    };
    this.#parent(path, false).children.set(nameOf(path), leaf);
    const node = { ...shown(path, leaf), modifiedIndex: index };
    return this.#happen('update', node, shown(path, old), change.refresh);
  }

  #swap(path: string, change: V2Change): ModelEvent {
    this.#refuseRoot(path);
    const old = this.#compared(path, change);
    const value = change.refresh ? old.value : change.value;
    const leaf = leafOf(value, old.created, this.index + 1, Number(change.expirationMs));
    this.#parent(path, false).children.set(nameOf(path), leaf);
    return this.#happen('compareAndSwap', shown(path, leaf), shown(path, old), change.refresh);
  }

  #delete(path: string, { dir, recursive }: V2Change): ModelEvent {
    this.#refuseRoot(path);
    const old = this.#find(path);
    if (old.value === null && !dir && !recursive) throw this.#failure(102, path);
    if (old.children.size > 0 && !recursive) throw this.#failure(108, path);
    return this.#take('delete', path, old);
  }

  #compareAndDelete(path: string, change: V2Change): ModelEvent {
    return this.#take('compareAndDelete', path, this.#compared(path, change));
  }

  #take(action: V2Action, path: string, old: Leaf): ModelEvent {
    this.#parent(path, false).children.delete(nameOf(path));
    const before = shown(path, old);
    const node = { ...before, value: null, expirationMs: 0, modifiedIndex: this.index + 1 };
    return this.#happen(action, node, before, false);
  }

  #happen(
    action: V2Action,
    node: ModelNode,
    prevNode: ModelNode | null,
    isRefresh: boolean,
  ): ModelEvent {
    this.index += 1;
    const event = { action, node, prevNode, isRefresh };
    this.events.push(event);
    return event;
  }

  #compared(path: string, { prevValue, prevIndex }: V2Change): Leaf {
    const leaf = this.#find(path);
    if (leaf.value === null) throw this.#failure(102, path);
    const isOther = prevValue !== '' && prevValue !== leaf.value;
    const isLater = prevIndex > 0n && Number(prevIndex) !== leaf.modified;
    const wrong = [
      isOther ? `[${prevValue} != ${leaf.value}]` : '',
      isLater ? `[${prevIndex} != ${leaf.modified}]` : '',
    ].filter(Boolean);
    if (wrong.length > 0) throw this.#failure(101, wrong.join(' '));
    return leaf;
  }

  /** Null: it is not there; `file`: a file stands on the way. */
  #look(path: string): Leaf | null | 'file' {
    let at = this.#root;
    for (const name of path.split('/').slice(1)) {
      if (at.value !== null) return 'file';
      const child = at.children.get(name);
      if (child === undefined) return null;
      at = child;
    }
    return at;
  }

  #find(path: string): Leaf {
    let at = this.#root;
    let way = '';
    for (const name of path.split('/').slice(1)) {
      if (at.value !== null) throw this.#failure(104, way);
      way += `/${name}`;
      const child = at.children.get(name);
      if (child === undefined) throw this.#failure(100, way);
      at = child;
    }
    return at;
  }

  /** The directory that the path is in. @param make it, where it is not there yet */
  #parent(path: string, make: boolean): Leaf {
    let at = this.#root;
    let way = '';
    for (const name of path.split('/').slice(1, -1)) {
      way += `/${name}`;
      let child = at.children.get(name);
      if (child === undefined && make) {
        child = directory(this.index + 1);
        at.children.set(name, child);
      }
      if (child === undefined) throw this.#failure(100, way);
      if (child.value !== null) throw this.#failure(104, way);
      at = child;
    }
    return at;
  }

  #refuseRoot(path: string): void {
    if (path === '/1') throw this.#failure(107, '/');
  }

  #failure(errorCode: V2ErrorCode, path: string): Failure {
    const cause = path.replace(/^\/1(?=\/|$)/, '');
    return new Failure({ errorCode, cause, index: this.index });
  }
}

function directory(index: number): Leaf {
  return leafOf(null, index, index, 0);
}

function leafOf(value: string | null, created: number, modified: number, expirationMs: number) {
  return { value, created, modified, expirationMs, children: new Map<string, Leaf>() };
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function shown(key: string, leaf: Leaf): ModelNode {
  return {
    key,
    value: leaf.value,
    dir: leaf.value === null,
    expirationMs: leaf.expirationMs,
    createdIndex: leaf.created,
    modifiedIndex: leaf.modified,
  };
}
