import { decodeCommand } from '../api/command.ts';
import { EtcdError } from '../api/error.ts';
import type { Command } from '../api/gen/command_pb.ts';
import { isMembershipChange } from './membership.ts';
import type { Outcome } from './parts.ts';
import type { Origin } from './result.ts';

/** An entry of the log: bytes at a place. */
export interface CommittedEntry {
  readonly index: number;
  readonly term: number;
  readonly data: Uint8Array;
  /** The command goes with a change of the core's configuration, and with nothing else. */
  readonly confChange?: boolean;
}

export const NO_ORIGIN: Origin = { memberId: '', epoch: 0, sequence: 0 };

/**
 * A command that only the leader of another term could have given (proto/command.proto), or a
 * change of membership apart from one of the core's configuration: both happen, or neither.
 */
export function isVoid(command: Command | null, term: number, confChange: boolean): boolean {
  if (command === null) return false;
  if (command.onlyInTerm !== 0n && command.onlyInTerm !== BigInt(term)) return true;
  return isMembershipChange(command.request) !== confChange;
}

export const VOID: Outcome = {
  response: null,
  error: EtcdError.of('notLeader'),
  changes: [],
  v2: null,
};

/** Null when the bytes are no command. @param likelyMemberId as of the command before */
export function decodeEntry(data: Uint8Array, likelyMemberId: string): Command | null {
  try {
    return decodeCommand(data, likelyMemberId);
  } catch {
    return null;
  }
}

export function originOf({ memberId, epoch, sequence }: Command): Origin {
  return { memberId, epoch: Number(epoch), sequence: Number(sequence) };
}
