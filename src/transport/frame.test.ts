import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyMessage } from './arbitrary.test-util.ts';
import { encodeCbor, FrameError } from './codec.ts';
import {
  decodeFrame,
  decodeReply,
  encodeFrame,
  encodeReply,
  type FrameBody,
  type FrameReply,
  type PeerIdentity,
} from './frame.ts';

const sender: PeerIdentity = { clusterId: 'c', memberId: 'm', databaseId: 'd' };

const identity: fc.Arbitrary<PeerIdentity> = fc.record({
  clusterId: fc.string(),
  memberId: fc.string(),
  databaseId: fc.string(),
});
const messages = fc.array(anyMessage, { maxLength: 3 });
const bytes = fc.uint8Array();

const body: fc.Arbitrary<FrameBody> = fc.oneof(
  fc.record({ kind: fc.constant('messages' as const), messages }),
  fc.record({
    kind: fc.constant('chunk' as const),
    transferId: fc.string(),
    sequence: fc.nat(),
    chunk: bytes,
  }),
  fc.record({
    kind: fc.constant('call' as const),
    path: fc.string(),
    request: bytes,
    caller: fc.record({ username: fc.string(), authRevision: fc.nat() }),
  }),
  fc.record({ kind: fc.constant('hello' as const) }),
);

const reply: fc.Arbitrary<FrameReply> = fc.record({
  sender: identity,
  status: fc.constantFrom('ok', 'refused', 'starting', 'failed'),
  reason: fc.string(),
  messages,
  call: fc.oneof(
    fc.constant(null),
    fc.record({ response: bytes }),
    fc.record({ code: fc.nat(16), message: fc.string() }),
  ),
});

/** What decoding does: an error of another class fails the test. */
function refusal(decode: (bytes: Uint8Array) => unknown, input: Uint8Array): string | null {
  try {
    decode(input);
    return null;
  } catch (error) {
    expect(error).toBeInstanceOf(FrameError);
    return error instanceof Error ? error.message : '';
  }
}

describe('frames', () => {
  it('arrive as they were sent', () => {
    fc.assert(
      fc.property(identity, body, (from, sent) => {
        const frame = { sender: from, body: sent };
        expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
      }),
    );
  });

  it.each([
    ['nothing', new Uint8Array(0), /not CBOR/],
    ['a number', encodeCbor(7), /not a list/],
    ['no version', encodeCbor([]), /protocol version undefined/],
    ['another version', encodeCbor([2, 'c', 'm', 'd', 'hello']), /protocol version 2, not 1/],
    ['no sender', encodeCbor([1]), /who sends it/],
    ['a number for a database', encodeCbor([1, 'c', 'm', 5, 'hello']), /who sends it/],
    ['an unknown kind', encodeCbor([1, 'c', 'm', 'd', 'gossip']), /unknown kind/],
    ['messages that are missing', encodeCbor([1, 'c', 'm', 'd', 'messages']), /not a list/],
    ['a chunk without bytes', encodeCbor([1, 'c', 'm', 'd', 'chunk', 't', 0]), /unknown kind/],
    ['a call without a path', encodeCbor([1, 'c', 'm', 'd', 'call', 1]), /unknown kind/],
  ])('with %s are refused in words', (_, input, words) => {
    expect(refusal(decodeFrame, input)).toMatch(words);
  });
});

describe('replies', () => {
  it('arrive as they were sent', () => {
    fc.assert(
      fc.property(reply, (sent) => {
        expect(decodeReply(encodeReply(sent))).toEqual(sent);
      }),
    );
  });

  it.each([
    ['an unknown status', encodeCbor([1, 'c', 'm', 'd', 'maybe', '', []]), /unknown status/],
    ['no messages', encodeCbor([1, 'c', 'm', 'd', 'ok', '']), /not a list/],
    ['a call with nothing', encodeCbor([1, 'c', 'm', 'd', 'ok', '', [], []]), /of a call/],
    ['no sender', encodeCbor([1, 2, 3, 4, 'ok', '', []]), /who sends it/],
  ])('with %s are refused in words', (_, input, words) => {
    expect(refusal(decodeReply, input)).toMatch(words);
  });

  it('to calls own their bytes', () => {
    const response = Uint8Array.of(1, 2, 3);
    const call = { response };
    const encoded = encodeReply({ sender, status: 'ok', reason: '', messages: [], call });
    const decoded = decodeReply(encoded).call;
    encoded.fill(0);
    expect(decoded).toEqual({ response });
  });
});

describe('damage', () => {
  it('makes another frame or a FrameError', () => {
    fc.assert(
      fc.property(body, fc.nat(), fc.integer({ min: 1, max: 255 }), (sent, place, change) => {
        const whole = encodeFrame({ sender, body: sent });
        const at = place % whole.length;
        refusal(
          decodeFrame,
          whole.map((byte, i) => (i === at ? byte ^ change : byte)),
        );
        expect(refusal(decodeFrame, whole.subarray(0, at))).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it('of a reply too', () => {
    fc.assert(
      fc.property(reply, fc.nat(), fc.integer({ min: 1, max: 255 }), (sent, place, change) => {
        const whole = encodeReply(sent);
        const at = place % whole.length;
        refusal(
          decodeReply,
          whole.map((byte, i) => (i === at ? byte ^ change : byte)),
        );
        expect(refusal(decodeReply, whole.subarray(0, at))).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });
});
