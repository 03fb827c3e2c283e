import { kindOf, mismatch } from './json-kind.ts';
import { scanValue, skipBlanks, unexpectedCharacter } from './json-scan.ts';

export type IntegerKind = 'int64' | 'uint64' | 'int32' | 'uint32' | 'uint8';

const RANGES: Readonly<Record<IntegerKind, readonly [min: bigint, max: bigint]>> = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
  uint8: [0n, 255n],
};

const PLAIN = /^-?(?:0|[1-9][0-9]*)$/;

/** Longer integers are out of every range: JSON has no leading zeros. */
const DIGITS_MAX = 20;

/**
 * An integer from the text of a JSON value, or from that inside of a string.
 * @param goType the name for error texts
 * @throws EtcdError with Go's text; also for 1.0 and 1e2, which Go takes for floating-point numbers
 */
export function integerOf(raw: string, kind: IntegerKind, goType: string): bigint {
  const number = PLAIN.test(raw) ? raw : numberIn(raw, goType);
  if (number === null) return 0n;
  const value = parseInteger(number);
  const [min, max] = RANGES[kind];
  // Go's parser of unsigned numbers knows no sign, not even that of -0.
  if (value === null || value < min || value > max || (min === 0n && number[0] === '-')) {
    throw mismatch(`number ${number}`, goType);
  }
  return value;
}

/** The number that is all of a JSON text; null for `null`. */
function numberIn(raw: string, goType: string): string | null {
  const start = skipBlanks(raw, 0);
  const { end } = scanValue(raw, start, 'unexpected end of JSON input');
  const rest = skipBlanks(raw, end);
  if (rest < raw.length) throw unexpectedCharacter(raw, rest, 'after top-level value');
  if (raw[start] === 'n') return null;
  const what = kindOf(raw, start);
  if (what !== 'number') throw mismatch(what, goType);
  return raw.slice(start, end);
}

function parseInteger(digits: string): bigint | null {
  const isInteger = digits.length <= DIGITS_MAX && PLAIN.test(digits);
  return isInteger ? BigInt(digits) : null;
}
