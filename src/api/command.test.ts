import { create, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import { decodeAnyCommand, decodeCommand, encodeAnyCommand, encodeCommand } from './command.ts';
import { decodePutCommand } from './command-put.ts';
import { CommandSchema } from './gen/command_pb.ts';
import { PutRequestSchema } from './gen/rpc_pb.ts';

const anyCommand = anyMessage(CommandSchema);

const anyName = fc.constantFrom('', 'm1', 'm\u00e9', '\u007f');

/** Most of all puts, for which there is a codec by hand. */
const anyPut = fc
  .tuple(anyCommand, anyMessage(PutRequestSchema), anyName, anyName)
  .map(([command, value, memberId, username]) => ({
    ...command,
    memberId,
    username,
    request: { case: 'put', value } as const,
  }));

describe('encodeCommand', () => {
  test('is protobuf', () => {
    fc.assert(
      fc.property(fc.oneof(anyCommand, anyPut), (command) => {
        expect(encodeCommand(command)).toEqual(encodeAnyCommand(command));
      }),
      { numRuns: 500 },
    );
  });

  test('takes fields as well as messages', () => {
    const put = { key: Uint8Array.of(1), lease: -1n };
    const fields = { memberId: 'm1', epoch: 3n, request: { case: 'put', value: put } } as const;
    expect(encodeCommand(fields)).toEqual(toBinary(CommandSchema, create(CommandSchema, fields)));
  });
});

describe('decodeCommand', () => {
  test('inverts encodeCommand', () => {
    fc.assert(
      fc.property(fc.oneof(anyCommand, anyPut), (command) => {
        const bytes = encodeCommand(command);
        expect(decodeCommand(bytes)).toEqual(command);
        expect(decodeAnyCommand(bytes)).toEqual(command);
      }),
      { numRuns: 500 },
    );
  });

  test('reads a put by hand', () => {
    const value = create(PutRequestSchema, { key: Uint8Array.of(1), lease: -1n, prevKv: true });
    const command = create(CommandSchema, {
      memberId: 'm1',
      timeMs: 1_700_000_000_000n,
      username: 'ann',
      authRevision: 300n,
      internal: true,
      request: { case: 'put', value },
    });
    expect(decodePutCommand(encodeCommand(command))).toEqual(command);
  });

  test('reads damaged bytes as the generic decoder does, or leaves them to it', () => {
    const damage = fc.tuple(anyPut, fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 2 }));
    fc.assert(
      fc.property(damage, ([command, place, byte, dropped]) => {
        const bytes = encodeCommand(command);
        const at = place % bytes.length;
        const damaged = Uint8Array.of(
          ...bytes.subarray(0, at),
          byte,
          ...bytes.subarray(at + dropped),
        );
        const byHand = decodePutCommand(damaged);
        if (byHand !== null) expect(byHand).toEqual(decodeAnyCommand(damaged));
      }),
      { numRuns: 2000 },
    );
  });
});
