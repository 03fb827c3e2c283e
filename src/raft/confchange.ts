/** The bytes of a configuration change inside an entry of kind `confChange`. */
import { assert } from '../lib/assert.ts';
import { BinaryReader, BinaryWriter } from '../lib/binary.ts';
import { EMPTY_BYTES } from '../lib/bytes.ts';
import type { ChangeType, ConfChange, MemberChange, Transition } from './membership.ts';

/** Codes are part of the log's format: they are never renumbered. */
const TRANSITIONS: readonly Transition[] = ['auto', 'jointImplicit', 'jointExplicit'];
const TYPES: readonly ChangeType[] = ['addVoter', 'addLearner', 'remove'];

/** Leaving the joint phase: no bytes at all, as in etcd-io/raft. */
export const LEAVE_JOINT: Uint8Array = EMPTY_BYTES;

export function encodeConfChange(change: ConfChange): Uint8Array {
  const writer = new BinaryWriter();
  writer.varint(TRANSITIONS.indexOf(change.transition)).varint(change.changes.length);
  for (const { type, id } of change.changes) writer.varint(TYPES.indexOf(type)).text(id);
  return writer.finish();
}

/** @throws InvariantError when the bytes are not a change: a newer version wrote them */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  if (bytes.length === 0) return { transition: 'auto', changes: [] };
  const reader = new BinaryReader(bytes);
  const transition = TRANSITIONS[reader.varint()];
  assert(transition !== undefined, 'configuration change of an unknown transition');
  const changes: MemberChange[] = [];
  for (let count = reader.varint(); count > 0; count--) {
    const type = TYPES[reader.varint()];
    assert(type !== undefined, 'configuration change of an unknown type');
    changes.push({ type, id: reader.text() });
  }
  assert(reader.done, 'configuration change with trailing bytes');
  return { transition, changes };
}
