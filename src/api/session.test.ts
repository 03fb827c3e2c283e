import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ClientFrameSchema,
  HelloSchema,
  Method,
  OperationSchema,
  ServerFrameSchema,
} from './gen/session_pb.ts';
import { METHODS } from './methods.ts';
import { decodeServerFrame, ServerFrameWriter } from './session-answer.ts';
import { methodNumber, methodPath, SESSION_METHODS } from './session-methods.ts';
import { ClientFrameWriter, decodeClientFrame } from './session-request.ts';
import { MalformedFrame } from './session-wire.ts';

/** Small ones, and all up to 2^49. */
const anyId = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.maxSafeNat().map((n) => (n % (2 ** 49 - 1)) + 1),
);
const anyOperation = fc.record({
  id: anyId,
  method: fc.nat({ max: 50 }),
  request: fc.uint8Array({ maxLength: 300 }),
  timeoutMs: fc.nat({ max: 100_000 }),
  action: fc.nat({ max: 2 }),
});
const anyHello = fc.record({
  version: fc.nat({ max: 9 }),
  token: fc.option(fc.string({ unit: 'grapheme' })),
  requireLeader: fc.boolean(),
});

describe('frames', () => {
  it('of clients are what protobuf takes them for', () => {
    const anyFrame = fc.record({
      hello: fc.option(anyHello),
      operations: fc.array(anyOperation),
      receivedBytes: fc.nat().map((n) => n + 1),
    });
    fc.assert(
      fc.property(anyFrame, (frame) => {
        const writer = new ClientFrameWriter();
        if (frame.hello) writer.hello(frame.hello);
        for (const operation of frame.operations) writer.operation(operation);
        writer.received(frame.receivedBytes);
        const bytes = writer.take();
        expect(decodeClientFrame(bytes)).toEqual(frame);
        const hello = frame.hello && { ...frame.hello, token: frame.hello.token ?? undefined };
        const wanted = create(ClientFrameSchema, {
          ...(hello ? { hello: create(HelloSchema, hello as object) } : {}),
          operations: frame.operations.map((each) =>
            create(OperationSchema, { ...each, id: BigInt(each.id) }),
          ),
          receivedBytes: BigInt(frame.receivedBytes),
        });
        expect(toBinary(ClientFrameSchema, fromBinary(ClientFrameSchema, bytes))).toEqual(
          toBinary(ClientFrameSchema, wanted),
        );
      }),
    );
  });

  it('of servers are what protobuf takes them for', () => {
    const anyMemberId = fc.bigInt(0n, 2n ** 64n - 1n);
    const anyWelcome = fc.record({
      version: fc.nat({ max: 9 }),
      clusterId: anyMemberId,
      memberId: anyMemberId,
      leaderId: anyMemberId,
    });
    const anyAnswer = fc.record({
      id: anyId,
      response: fc.option(fc.uint8Array({ maxLength: 300 })),
      more: fc.boolean(),
      failure: fc.option(fc.record({ code: fc.nat({ max: 16 }), message: fc.string() })),
    });
    fc.assert(
      fc.property(fc.option(anyWelcome), fc.array(anyAnswer), (welcome, answers) => {
        const writer = new ServerFrameWriter();
        if (welcome) writer.welcome(welcome);
        const wanted = answers.map(({ id, response, more, failure }) => {
          if (failure) writer.fail(id, failure);
          else if (response) writer.answer(id, response, more);
          else writer.end(id);
          const given = failure ? null : response;
          return { id, response: given, more: given !== null && more, failure };
        });
        const bytes = writer.take();
        expect(decodeServerFrame(bytes)).toEqual({ welcome, answers: wanted });
        const read = fromBinary(ServerFrameSchema, bytes);
        expect(read.answers.map(({ id, more }) => ({ id: Number(id), more }))).toEqual(
          wanted.map(({ id, more }) => ({ id, more })),
        );
        expect(read.answers.map(({ response }) => response?.length)).toEqual(
          wanted.map(({ response }) => response?.length),
        );
      }),
    );
  });

  it('with fields of a later version are read without them', () => {
    const writer = new ClientFrameWriter();
    writer.number(8 * 20, 7);
    writer.bytes(8 * 21 + 2, new Uint8Array(3));
    const operation = { id: 1, method: 2, request: Uint8Array.of(1), timeoutMs: 0, action: 0 };
    writer.operation(operation);
    expect(decodeClientFrame(writer.take()).operations).toEqual([operation]);
  });

  it('that are random or cut short are malformed, or something else than they were', () => {
    const decode = (bytes: Uint8Array): void => {
      try {
        decodeClientFrame(bytes);
        decodeServerFrame(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedFrame);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), decode), { numRuns: 2_000 });
    fc.assert(
      fc.property(fc.array(anyOperation), fc.nat(), (operations, cut) => {
        const writer = new ClientFrameWriter();
        for (const operation of operations) writer.operation(operation);
        const bytes = writer.take();
        decode(bytes.subarray(0, cut % (bytes.length + 1)));
      }),
    );
  });

  it.each([
    ['an operation without an id', Uint8Array.of(18, 2, 16, 2)],
    ['a length beyond the end', Uint8Array.of(18, 5, 8)],
    ['a field of a wire type that is none', Uint8Array.of(7)],
    ['a number that never ends', new Uint8Array(12).fill(0xff)],
  ])('%s is malformed', (_, bytes) => {
    expect(() => decodeClientFrame(bytes)).toThrow(MalformedFrame);
  });
});

describe('the numbers of methods', () => {
  it('are those of the proto file', () => {
    const names = Object.values(Method).filter((each) => typeof each === 'string');
    expect(names.length).toBe(SESSION_METHODS.length);
    for (const [number, path] of SESSION_METHODS.entries()) {
      if (path === '') continue;
      const method = METHODS.find((each) => each.path === path);
      const name = `${method?.service.split('.').at(-1)}_${method?.name}`;
      const wanted = Method[number]?.replaceAll('_', '').toLowerCase() ?? '';
      expect(name.replace('_', '').toLowerCase()).toContain(wanted);
      expect([methodNumber(path), methodPath(number)]).toEqual([number, path]);
    }
  });

  it('are there for every method, aliases aside', () => {
    const byName = new Map(METHODS.map(({ service, name, path }) => [`${service}/${name}`, path]));
    const numbered = new Set<string>(SESSION_METHODS);
    const missing = METHODS.filter(
      ({ service, name, path }) =>
        !numbered.has(path) &&
        !numbered.has(path.replace('/kv/lease/', '/lease/')) &&
        byName.get(`${service}/${name}`) === path,
    );
    expect(missing).toEqual([]);
    expect([methodPath(0), methodPath(99)]).toEqual([null, null]);
  });
});
