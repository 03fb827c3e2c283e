import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { must } from '../lib/assert.ts';
import type { Message } from '../raft/message.ts';
import { anyMessage, MESSAGE_TYPES, messageOf } from './arbitrary.test-util.ts';
import { decodeCbor, encodeCbor, FrameError, packMessages, unpackMessages } from './codec.ts';

const transmit = (messages: readonly Message[]) =>
  unpackMessages(decodeCbor(encodeCbor(packMessages(messages))));

/** A valid message of that type, as the list that goes into CBOR. */
function packed(type: Message['type'], seed = 1): unknown[] {
  const [message] = fc.sample(messageOf(type), { numRuns: 1, seed });
  const [list] = packMessages([must(message, 'a sample')]);
  return must(list, 'a packed message') as unknown[];
}

/** How many fields at the end members of earlier releases do not send. */
const ADDED_LATER: ReadonlyMap<Message['type'], number> = new Map([['appendReply', 1]]);

describe.each(MESSAGE_TYPES)('a message of type %s', (type) => {
  it('arrives as it was sent', () => {
    fc.assert(
      fc.property(fc.array(messageOf(type), { maxLength: 3 }), (messages) => {
        expect(transmit(messages)).toEqual(messages);
      }),
      { numRuns: 50 },
    );
  });

  it('is understood with fields that a later release adds at its end', () => {
    const list = packed(type);
    expect(unpackMessages([[...list, 'news', { of: 'tomorrow' }]])).toEqual(unpackMessages([list]));
  });

  it('is refused when a field is missing or is something else', () => {
    const list = packed(type);
    const required = list.slice(0, list.length - (ADDED_LATER.get(type) ?? 0));
    expect(unpackMessages([required])).toMatchObject([{ type }]);
    expect(() => unpackMessages([required.slice(0, -1)])).toThrow(FrameError);
    list.forEach((_, at) => {
      const wrong = list.map((field, i) => (i === at ? Symbol('something else') : field));
      expect(() => unpackMessages([wrong]), `field ${at}`).toThrow(FrameError);
    });
  });
});

describe('what is no list of messages', () => {
  it.each([
    ['nothing', undefined],
    ['a text', 'append'],
    ['a list of numbers', [1, 2]],
    ['an unknown type', [[99, 'a', 'b', 1, 1]]],
    ['a negative type', [[-1, 'a', 'b', 1, 1]]],
    ['a type that is the name of a method of lists', [['map', 'a', 'b', 1, 1]]],
    ['a type that is the length of the list of types', [['length', 'a', 'b', 1, 1]]],
    ['a fractional term', [[4, 'a', 'b', 1.5, 1]]],
    ['a negative term', [[4, 'a', 'b', -1, 1]]],
    ['a term beyond all counting', [[4, 'a', 'b', 2 ** 53, 1]]],
  ])('%s is refused', (_, value) => {
    expect(() => unpackMessages(value)).toThrow(FrameError);
  });

  const entries = packed('append').length - 4;
  it.each([
    ['without a first index', []],
    ['with a text for the bytes', [1, 'data']],
    ['with a first index that is none', [-1, new Uint8Array(0)]],
    ['that are cut short', [1, Uint8Array.of(1, 0, 5, 9)]],
    ['of a kind that nobody here can apply', [1, Uint8Array.of(1, 2, 1, 9)]],
  ])('entries %s are refused', (_, value) => {
    const list = packed('append');
    expect(() => unpackMessages([list.with(entries, value)])).toThrow(FrameError);
  });

  const at = 5;
  it.each([
    ['an empty map', {}],
    ['a list', [1, 2, 3]],
    ['no configuration', { index: 1, term: 1 }],
    ['voters that are numbers', { index: 1, term: 1, confState: { voters: [1] } }],
  ])('a snapshot with %s for its place is refused', (_, value) => {
    expect(() => unpackMessages([packed('snapshot').with(at, value)])).toThrow(FrameError);
  });
});

describe('CBOR from anywhere', () => {
  it('is a value or a FrameError, never anything else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          unpackMessages(decodeCbor(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(FrameError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when it is nested without end', () => {
    expect(() => decodeCbor(new Uint8Array(100_000).fill(0x81))).toThrow(FrameError);
  });
});

describe('bytes', () => {
  it('that were encoded stay as they are while others are encoded', () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { minLength: 2, maxLength: 6 }), (messages) => {
        const encoded = messages.map((message) => encodeCbor(packMessages([message])));
        const decoded = encoded.map((bytes) => unpackMessages(decodeCbor(bytes))[0]);
        expect(decoded).toEqual(messages);
        for (const bytes of encoded) expect(bytes.length).toBe(bytes.buffer.byteLength);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['plain bytes', (bytes: Uint8Array) => bytes],
    ['a Buffer', (bytes: Uint8Array) => Buffer.from(bytes)],
  ])('in a message are no views on the request, when that is %s', (_, as) => {
    const data = Uint8Array.of(1, 2, 3);
    const envelope = { from: 'a', to: 'b', term: 1, epoch: 1 };
    const sent: Message[] = [
      { type: 'propose', ...envelope, proposals: [data] },
      {
        type: 'append',
        ...envelope,
        prevIndex: 0,
        prevTerm: 0,
        entries: [{ index: 1, term: 1, kind: 0, data }],
        commit: 0,
        round: 1,
        quiesce: false,
      },
    ];
    const bytes = as(encodeCbor(packMessages(sent)));
    const [proposed, appended] = unpackMessages(decodeCbor(bytes));
    bytes.fill(0);
    const kept = [
      proposed?.type === 'propose' ? proposed.proposals[0] : null,
      appended?.type === 'append' ? appended.entries[0]?.data : null,
    ];
    for (const each of kept) {
      expect([...(each ?? [])]).toEqual([1, 2, 3]);
    }
  });
});
