/**
 * HPACK's Huffman code (RFC 7541, appendix B). It is canonical: codes of one length follow one
 * another in the order of their symbols, so that their lengths say all. The last is the end of a
 * string, which must not occur in one.
 */
const LENGTHS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
  28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5,
  6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6,
  7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
  23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22,
  22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22,
  23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27,
  27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25,
  24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
const LENGTH_MAX = 30;
const END_OF_STRING = 256;

interface CodesOfLength {
  readonly first: number;
  readonly symbols: readonly number[];
}

const CODES: readonly CodesOfLength[] = codesByLength();

function codesByLength(): CodesOfLength[] {
  const codes: CodesOfLength[] = [];
  let next = 0;
  for (let length = 0; length <= LENGTH_MAX; length++) {
    const symbols = LENGTHS.flatMap((each, symbol) => (each === length ? [symbol] : []));
    codes.push({ first: next, symbols });
    next = (next + symbols.length) * 2;
  }
  return codes;
}

/** The text of a coded string, a character for each octet; null: it is not one. */
export function decodeHuffman(bytes: Uint8Array): string | null {
  let text = '';
  let code = 0;
  let length = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((byte >> bit) & 1);
      const ofLength = CODES[++length];
      if (ofLength === undefined) return null;
      const symbol = ofLength.symbols[code - ofLength.first];
      if (symbol === undefined) continue;
      if (symbol === END_OF_STRING) return null;
      text += String.fromCharCode(symbol);
      code = 0;
      length = 0;
    }
  }
  // What is left are the first bits of the end: less than an octet of ones.
  return length < 8 && code === 2 ** length - 1 ? text : null;
}
