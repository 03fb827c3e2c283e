import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { decodePutCommand, encodePutCommand, isPutCommand } from './command-put.ts';
import { type Command, CommandSchema } from './gen/command_pb.ts';

/** A command, or what `create(CommandSchema, …)` takes: absent fields are zero. */
export type CommandFields = MessageInitShape<typeof CommandSchema>;

/** An entry's data. Protobuf, so that old logs stay readable when commands gain fields. */
export function encodeCommand(fields: CommandFields): Uint8Array {
  const command = create(CommandSchema, fields);
  return isPutCommand(command) ? encodePutCommand(command) : encodeAnyCommand(command);
}

/**
 * The inverse. Byte strings in the command are views on `bytes`: copy what outlives the entry.
 * @param likelyMemberId as of the command before
 * @throws Error when the bytes are no command
 */
export function decodeCommand(bytes: Uint8Array, likelyMemberId?: string): Command {
  return decodePutCommand(bytes, likelyMemberId) ?? decodeAnyCommand(bytes);
}

/** The generic codec, to which the one for puts is held. */
export function encodeAnyCommand(command: Command): Uint8Array {
  return toBinary(CommandSchema, command);
}

export function decodeAnyCommand(bytes: Uint8Array): Command {
  return fromBinary(CommandSchema, bytes);
}
