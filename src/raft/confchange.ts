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

/**
 * @param context what the change means to the runtime: bytes at which the core does not look
 */
export function encodeConfChange(
  change: ConfChange,
  context: Uint8Array = EMPTY_BYTES,
): Uint8Array {
  const writer = new BinaryWriter();
  writer.varint(TRANSITIONS.indexOf(change.transition)).varint(change.changes.length);
  for (const { type, id } of change.changes) writer.varint(TYPES.indexOf(type)).text(id);
  if (context.length > 0) writer.bytes(context);
  return writer.finish();
}

/** @throws InvariantError when the bytes are not a change: a newer version wrote them */
export function decodeConfChange(bytes: Uint8Array): ConfChange {
  return read(bytes).change;
}

/** What {@link encodeConfChange} was given beside the change; a view on the bytes. */
export function contextOf(bytes: Uint8Array): Uint8Array {
  return read(bytes).context;
}

function read(bytes: Uint8Array): { change: ConfChange; context: Uint8Array } {
  if (bytes.length === 0) {
    return { change: { transition: 'auto', changes: [] }, context: EMPTY_BYTES };
  }
  const reader = new BinaryReader(bytes);
  const transition = TRANSITIONS[reader.varint()];
  assert(transition !== undefined, 'configuration change of an unknown transition');
  const changes: MemberChange[] = [];
  for (let count = reader.varint(); count > 0; count--) {
    const type = TYPES[reader.varint()];
    assert(type !== undefined, 'configuration change of an unknown type');
    changes.push({ type, id: reader.text() });
  }
  const context = reader.done ? null : reader.bytes();
  const whole = reader.done && context?.length !== 0;
  assert(whole, 'configuration change with trailing bytes');
  return { change: { transition, changes }, context: context ?? EMPTY_BYTES };
}
