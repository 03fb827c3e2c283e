import { describe, expect, it } from 'vitest';
import { complaintAbout, objectOf, stringsOf } from './body.ts';

describe('the body of a request about members', () => {
  it.each([
    ['', 'unexpected end of JSON input'],
    ['bad', "invalid character 'b' looking for beginning of value"],
    [
      '[]',
      'json: cannot unmarshal array into Go value of type struct { PeerURLs []string "json:\\"peerURLs\\"" }',
    ],
    [
      '{"peerURLs":"x"}',
      'json: cannot unmarshal string into Go struct field .peerURLs of type []string',
    ],
    [
      '{"peerURLs":[true]}',
      'json: cannot unmarshal bool into Go struct field .peerURLs of type string',
    ],
  ])('%j is complained about in the words of Go', (text, complaint) => {
    const urls = stringsOf(objectOf(text)?.['peerURLs']);
    expect(objectOf(text) === null || urls === null).toBe(true);
    expect(complaintAbout(text)).toBe(complaint);
  });

  it('may hold no list, or null for one', () => {
    expect(stringsOf(undefined)).toEqual([]);
    expect(stringsOf(null)).toEqual([]);
    expect(stringsOf(['a', 'b'])).toEqual(['a', 'b']);
    expect(objectOf('{"a":1} ')).toEqual({ a: 1 });
  });
});
