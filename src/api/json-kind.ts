import type { EtcdError } from './error.ts';
import { invalid } from './json-scan.ts';

/** The kind of a JSON value by its first character, in Go's words. */
export function kindOf(text: string, start: number): string {
  switch (text[start]) {
    case '"':
      return 'string';
    case '{':
      return 'object';
    case '[':
      return 'array';
    case 't':
    case 'f':
      return 'bool';
    default:
      return 'number';
  }
}

/** A value of a kind that the field cannot take. */
export function mismatch(what: string, goType: string): EtcdError {
  return invalid(`json: cannot unmarshal ${what} into Go value of type ${goType}`);
}
