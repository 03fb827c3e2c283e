import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeBase64,
  decodeByTable,
  decodeCanonical,
  decodeLenient,
  encodeBase64,
  encodeByTable,
} from './base64.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('decodeBase64', () => {
  test.each([
    ['YQ', 0],
    ['Y', 0],
    ['_-8=', 0],
    [' YQ==', 0],
    ['YQ===', 4],
    ['Y*==', 1],
    ['YQ= =', 2],
    ['YQ=', 3],
    ['YWJj=', 4],
    ['YWJjZA', 4],
    ['Y\nQ', 1],
    ['YQ==YQ==', 4],
    ['YQ==\nYQ==', 5],
    ['é', 0],
  ])('%j is illegal at byte %i', (text, offset) => {
    expect(() => decodeBase64(text)).toThrow(`illegal base64 data at input byte ${offset}`);
  });

  test.each([
    ['', ''],
    ['\n', ''],
    ['YQ==', 'a'],
    ['YR==', 'a'],
    ['YWI=', 'ab'],
    ['YWJj', 'abc'],
    ['Y\nW\r\nJ\rj\n', 'abc'],
    ['YQ=\n=\n', 'a'],
  ])('%j is %j', (text, expected) => {
    expect(new TextDecoder().decode(decodeBase64(text))).toBe(expected);
  });

  test('inverts the encoder, with line breaks anywhere', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), fc.constantFrom('', '\n', '\r\n'), (data, at, lineBreak) => {
        const text = encodeBase64(data);
        const place = at % (text.length + 1);
        const broken = text.slice(0, place) + lineBreak + text.slice(place);
        expect(decodeBase64(broken)).toEqual(data);
        expect(decodeLenient(broken)).toEqual(data);
      }),
    );
  });

  test('the quick way accepts nothing that the careful one refuses, and reads it alike', () => {
    const alphabet = fc.constantFrom(...'AZaz09+/=_- \n\té');
    const text = fc.string({ unit: alphabet, maxLength: 16 });
    fc.assert(
      fc.property(text, (candidate) => {
        const quick = decodeCanonical(candidate);
        if (quick !== null) expect(decodeLenient(candidate)).toEqual(quick);
      }),
      { numRuns: 1000 },
    );
  });
});

test('the tables agree with the runtime', () => {
  fc.assert(
    fc.property(bytes, (data) => {
      const expected = Buffer.from(data).toString('base64');
      expect(encodeByTable(data)).toBe(expected);
      expect(encodeBase64(data)).toBe(expected);
      if (expected !== '') expect(decodeByTable(expected)).toEqual(data);
    }),
  );
});
