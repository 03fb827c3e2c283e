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

/** Longer integers are out of every range: JSON has no leading zeros. */
const DIGITS_MAX = 20;

/**
 * An integer from the text of a JSON value, or from that inside of a string.
 * @param goType the name for error texts
 * @throws EtcdError with Go's text; also for 1.0 and 1e2, which Go takes for floating-point numbers
 */
export function integerOf(raw: string, kind: IntegerKind, goType: string): bigint {
  const start = skipBlanks(raw, 0);
  const end = scanValue(raw, start, 'unexpected end of JSON input');
  const rest = skipBlanks(raw, end);
  if (rest < raw.length) throw unexpectedCharacter(raw, rest, 'after top-level value');
  if (raw[start] === 'n') return 0n;
  const what = kindOf(raw, start);
  if (what !== 'number') throw mismatch(what, goType);
  const digits = raw.slice(start, end);
  const value = parseInteger(digits);
  const [min, max] = RANGES[kind];
  // Go's parser of unsigned numbers knows no sign, not even that of -0.
  if (value === null || value < min || value > max || (min === 0n && digits[0] === '-')) {
    throw mismatch(`number ${digits}`, goType);
  }
  return value;
}

function parseInteger(digits: string): bigint | null {
  const isInteger = digits.length <= DIGITS_MAX && /^-?[0-9]+$/.test(digits);
  return isInteger ? BigInt(digits) : null;
}
