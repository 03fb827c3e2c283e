import { jsonString } from '../json-text.ts';

export const V2_ACTIONS = [
  'get',
  'create',
  'set',
  'update',
  'delete',
  'compareAndSwap',
  'compareAndDelete',
  'expire',
] as const;
export type V2Action = (typeof V2_ACTIONS)[number];

/** A file or a directory, as far as an answer shows it. */
export interface V2Node {
  /** Empty: the root of the keys. */
  readonly key: string;
  /** Null: a directory, or a file that is no more. */
  readonly value: string | null;
  readonly dir: boolean;
  /** Milliseconds since 1970; 0: never. */
  readonly expirationMs: number;
  /** Whole seconds left, rounded up. */
  readonly ttlSeconds: number;
  readonly nodes: readonly V2Node[];
  readonly modifiedIndex: number;
  readonly createdIndex: number;
}

/** What was asked of a node, or happened to it. */
export interface V2Event {
  readonly action: V2Action;
  readonly node: V2Node;
  readonly prevNode: V2Node | null;
}

/** Whether something exists that did not before: HTTP's 201. */
export function isCreation({ action, prevNode }: V2Event): boolean {
  return action === 'create' || (action === 'set' && prevNode === null);
}

/** Seconds until then as etcd counts them; 0 where nothing ends. */
export function ttlSecondsAt(expirationMs: number, nowMs: number): number {
  return expirationMs === 0 ? 0 : Math.ceil((expirationMs - nowMs) / 1000);
}

/** The event as one line of JSON, fields in etcd's order. */
export function encodeV2Event({ action, node, prevNode }: V2Event): string {
  const before = prevNode === null ? '' : `,"prevNode":${encodeNode(prevNode)}`;
  return `{"action":"${action}","node":${encodeNode(node)}${before}}\n`;
}

/** What noValueOnSuccess leaves of it. */
export function encodeBareV2Event({ action }: V2Event): string {
  return `{"action":"${action}"}\n`;
}

function encodeNode(node: V2Node): string {
  const fields: string[] = [];
  if (node.key !== '') fields.push(`"key":${jsonString(node.key)}`);
  if (node.value !== null) fields.push(`"value":${jsonString(node.value)}`);
  if (node.dir) fields.push('"dir":true');
  if (node.expirationMs !== 0) fields.push(`"expiration":"${rfc3339(node.expirationMs)}"`);
  if (node.ttlSeconds !== 0) fields.push(`"ttl":${node.ttlSeconds}`);
  if (node.nodes.length > 0) fields.push(`"nodes":[${node.nodes.map(encodeNode).join(',')}]`);
  if (node.modifiedIndex !== 0) fields.push(`"modifiedIndex":${node.modifiedIndex}`);
  if (node.createdIndex !== 0) fields.push(`"createdIndex":${node.createdIndex}`);
  return `{${fields.join(',')}}`;
}

/** Go's RFC3339Nano: no zeros at the end of the fraction. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z');
}
