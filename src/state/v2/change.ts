import { type V2Change, V2Method } from '../../api/gen/command_pb.ts';
import { insufficientCredentials } from '../../api/v2/denied.ts';
import type { V2Action, V2Event, V2Node } from '../../api/v2/event.ts';
import { limits } from '../../config.ts';
import { V2Accounts } from './accounts.ts';
import { type StoredNode, shown } from './node.ts';
import { ancestorsOf, KEYS_ROOT } from './path.ts';
import type { V2Store } from './store.ts';

/** What is done to a node, as far as it is the same for all ways of doing it. */
interface Step {
  readonly store: V2Store;
  readonly path: string;
  readonly nowMs: number;
}

/** A change that its user may make. @throws V2Error */
export function changeAllowed(store: V2Store, request: V2Change, nowMs: number): V2Event {
  const { user, path, method, recursive } = request;
  const key = path.slice(KEYS_ROOT.length) || '/';
  const access = { key, isWrite: true, recursive: recursive && method === V2Method.DELETE };
  if (!new V2Accounts(store).mayAccess(user, access)) throw insufficientCredentials();
  return changeTree(store, request, nowMs);
}

/**
 * Carries out one change of the tree, as etcd's v2 store does it.
 * @param nowMs of the command: alike on all members
 * @throws V2Error before anything is changed
 */
export function changeTree(store: V2Store, request: V2Change, nowMs: number): V2Event {
  const { method, path, prevIndex, prevValue, prevExist } = request;
  const step: Step = { store, path, nowMs };
  const compares = prevIndex > 0n || prevValue !== '';
  switch (method) {
    case V2Method.PUT:
      if (prevExist === false) return create(step, request);
      if (compares) return compareAndSwap(step, request);
      return prevExist === true ? update(step, request) : set(step, request);
    case V2Method.POST: {
      const name = String(store.index + 1).padStart(20, '0');
      return create({ ...step, path: `${path}/${name}` }, request);
    }
    case V2Method.DELETE:
      return compares ? compareAndDelete(step, request) : remove(step, request);
  }
}

/** Ends nodes whose time was over by then, the earliest first. @returns how many */
export function expireNodes(store: V2Store, nowMs: number, countMax: number): number {
  for (let count = 0; count < countMax; count++) {
    const first = store.tree.earliestExpiration();
    if (first === null || first.expirationMs > nowMs) return count;
    const step: Step = { store, path: first.path, nowMs };
    const isGone = takeAway(step, 'expire', store.find(first.path)) !== null;
    // The rest goes with the next command, and the directory with the last of it.
    if (!isGone) return store.tree.prune(first.path, limits.v2RemovalNodesMax);
  }
  return countMax;
}

/** A node that was not there. */
function create(step: Step, request: V2Change): V2Event {
  checkChangeable(step);
  checkWay(step);
  if (step.store.tree.get(step.path) !== null) throw step.store.error(105, step.path);
  return write(step, 'create', request, request.value, null);
}

/** A node in place of what was there, if that was a file. */
function set(step: Step, request: V2Change): V2Event {
  const { store, path, nowMs } = step;
  const found = store.tree.find(path);
  if (found.kind === 'file' || (found.kind === 'missing' && request.refresh)) store.find(path);
  const old = found.kind === 'node' ? found.node : null;
  checkChangeable(step);
  if (old !== null && old.value === null) throw store.error(102, path);
  const value = request.refresh ? (old?.value ?? '') : request.value;
  return write(step, 'set', request, value, old === null ? null : shown(path, old, nowMs));
}

function write(
  step: Step,
  action: V2Action,
  { dir, expirationMs, refresh }: V2Change,
  value: string,
  prevNode: V2Node | null,
): V2Event {
  const { store, path, nowMs } = step;
  const index = store.index + 1;
  makeDirectories(step, index);
  const node: StoredNode = {
    value: dir ? null : value,
    createdIndex: index,
    modifiedIndex: index,
    expirationMs: Number(expirationMs),
  };
  store.tree.set(path, node);
  return recorded(step, { action, node: shown(path, node, nowMs), prevNode }, refresh);
}

/** Of a file the value, of a directory its time; what it was created by stays. */
function update(step: Step, request: V2Change): V2Event {
  const { store, path, nowMs } = step;
  checkChangeable(step);
  const old = store.find(path);
  if (old.value === null && request.value !== '') throw store.error(102, path);
  const index = store.index + 1;
  const value = request.refresh ? old.value : request.value;
  const expirationMs = Number(request.expirationMs);
  const isDirectory = old.value === null;
  const node: StoredNode = isDirectory
    ? { ...old, expirationMs }
    : { ...old, value, expirationMs, modifiedIndex: index };
  store.tree.set(path, node);
  // etcd leaves the index of a directory as it is, and shows the new one in the event.
  const changed = { ...shown(path, node, nowMs), modifiedIndex: index };
  const event: V2Event = {
    action: 'update',
    node: changed,
    prevNode: shown(path, old, nowMs),
  };
  return recorded(step, event, request.refresh);
}

function compareAndSwap(step: Step, request: V2Change): V2Event {
  const { store, path, nowMs } = step;
  checkChangeable(step);
  const old = comparedFile(step, request);
  const index = store.index + 1;
  const node: StoredNode = {
    value: request.refresh ? old.value : request.value,
    createdIndex: old.createdIndex,
    modifiedIndex: index,
    expirationMs: Number(request.expirationMs),
  };
  store.tree.set(path, node);
  const event: V2Event = {
    action: 'compareAndSwap',
    node: shown(path, node, nowMs),
    prevNode: shown(path, old, nowMs),
  };
  return recorded(step, event, request.refresh);
}

function remove(step: Step, { dir, recursive }: V2Change): V2Event {
  const { store, path } = step;
  checkChangeable(step);
  const old = store.find(path);
  if (old.value === null) {
    if (!dir && !recursive) throw store.error(102, path);
    if (!recursive && !store.tree.isEmpty(path)) throw store.error(108, path);
  }
  return takenAway(step, 'delete', old);
}

function compareAndDelete(step: Step, request: V2Change): V2Event {
  return takenAway(step, 'compareAndDelete', comparedFile(step, request));
}

/** The file at the path, if it is what the request says. @throws V2Error */
function comparedFile({ store, path }: Step, { prevValue, prevIndex }: V2Change): StoredNode {
  const node = store.find(path);
  if (node.value === null) throw store.error(102, path);
  const wrong: string[] = [];
  if (prevValue !== '' && prevValue !== node.value) wrong.push(`[${prevValue} != ${node.value}]`);
  const { modifiedIndex } = node;
  if (prevIndex > 0n && prevIndex !== BigInt(modifiedIndex)) {
    wrong.push(`[${prevIndex} != ${modifiedIndex}]`);
  }
  if (wrong.length > 0) throw store.error(101, wrong.join(' '));
  return node;
}

/** @throws V2Error when it is too much for one command */
function takenAway(step: Step, action: V2Action, old: StoredNode): V2Event {
  const event = takeAway(step, action, old);
  if (event !== null) return event;
  throw step.store.error(300, 'the directory has too many nodes: delete what is in it first');
}

/** Null: too much is in it for one command, and nothing was done. */
function takeAway({ store, path, nowMs }: Step, action: V2Action, old: StoredNode): V2Event | null {
  const prevNode = shown(path, old, nowMs);
  const removed = store.tree.remove(path, limits.v2RemovalNodesMax);
  if (removed === null) return null;
  const node: V2Node = {
    ...prevNode,
    value: null,
    expirationMs: 0,
    ttlSeconds: 0,
    modifiedIndex: store.index + 1,
  };
  const event: V2Event = { action, node, prevNode };
  store.record(event, { removed });
  return event;
}

function recorded({ store }: Step, event: V2Event, isRefresh: boolean): V2Event {
  store.record(event, { isRefresh });
  return event;
}

function checkChangeable({ store, path }: Step): void {
  if (path === KEYS_ROOT) throw store.error(107, '/');
}

/** @throws V2Error where a file stands on the way */
function checkWay({ store, path }: Step): void {
  const found = store.tree.find(path);
  if (found.kind === 'file') throw store.error(104, found.path);
}

/** Those above the path that are not there, as of the index of what is put into them. */
function makeDirectories({ store, path }: Step, index: number): void {
  for (const ancestor of ancestorsOf(path).reverse()) {
    if (store.tree.get(ancestor) !== null) return;
    const times = { createdIndex: index, modifiedIndex: index, expirationMs: 0 };
    store.tree.set(ancestor, { value: null, ...times });
  }
}
