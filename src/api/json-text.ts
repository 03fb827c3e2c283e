/** JSON strings and quoted text as Go's encoding/json and strconv write them. */

const escapedByGo = /[<>&\u2028\u2029]/;
const escapedByGoAll = new RegExp(escapedByGo, 'g');
const loneSurrogates = /\p{Surrogate}/gu;

/** A JSON string. Go escapes what HTML and JavaScript would misread. */
export function jsonString(text: string): string {
  const json = JSON.stringify(wellFormed(text));
  return escapedByGo.test(json) ? json.replace(escapedByGoAll, unicodeEscape) : json;
}

/** Half a surrogate pair has no UTF-8: Go and TextEncoder put U+FFFD in its place. */
export function wellFormed(text: string): string {
  return text.replace(loneSurrogates, '\ufffd');
}

const short: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
  ['\f', '\\f'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
]);

/**
 * What %q escapes: quotes, backslashes, and all that is no letter, mark, number, punctuation,
 * symbol or space.
 */
const unprintable = /["\\]|\p{C}|(?! )\p{Z}/gu;

/** Go's %q. */
export function goQuote(text: string): string {
  return `"${text.replace(unprintable, (character) => short.get(character) ?? goEscape(character))}"`;
}

function goEscape(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  if (point < 0x80) return `\\x${point.toString(16).padStart(2, '0')}`;
  if (point < 0x10000) return unicodeEscape(character);
  return `\\U${point.toString(16).padStart(8, '0')}`;
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
