import { describe, expect, it } from 'vitest';
import { isPeerUrl, locationInUrl, nameInUrl } from './peer_url.ts';

describe('the URL of a peer', () => {
  it.each([
    'http://127.0.0.1:2380',
    'https://a.example:443',
    'http://[::1]:2380',
    'do://m4',
    'do://m4?location=weur',
  ])('%s is one', (url) => {
    expect(isPeerUrl(url)).toBe(true);
  });

  it.each([
    '',
    'nope',
    'http://10.9.8.7',
    'http://10.9.8.7:',
    'http://10.9.8.7:70000',
    'http://10.9.8.7:2380/',
    'http://10.9.8.7:2380/path',
    'http://10.9.8.7:2380?x=1',
    'http://user@10.9.8.7:2380',
    'http://::1:2380',
    'ftp://10.9.8.7:2380',
    'do://',
    'do://a/b',
    'do://m4?location=',
    'do://m4?place=weur',
  ])('"%s" is none', (url) => {
    expect(isPeerUrl(url)).toBe(false);
  });

  it('names an object of the same deployment, and where it is to be made', () => {
    expect([nameInUrl('do://m4'), locationInUrl('do://m4')]).toEqual(['m4', null]);
    const url = 'do://m4?location=weur';
    expect([nameInUrl(url), locationInUrl(url)]).toEqual(['m4', 'weur']);
    expect([nameInUrl('http://m4:1'), locationInUrl('http://m4:1')]).toEqual(['', null]);
  });
});
