import { decodeHuffman } from './huffman.ts';

/** The headers of a request, as text of an octet a character. */
export type Headers = ReadonlyMap<string, string>;

/** A block of headers that cannot be read: nothing that follows on the connection can be. */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}

interface Field {
  readonly name: string;
  readonly value: string;
}

/** RFC 7541, appendix A: names that have a value in the table, then those that have none. */
const STATIC_TABLE: readonly Field[] = (
  ':authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|' +
  ':status=200|:status=204|:status=206|:status=304|:status=400|:status=404|:status=500|' +
  'accept-charset|accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|' +
  'access-control-allow-origin|age|allow|authorization|cache-control|content-disposition|' +
  'content-encoding|content-language|content-length|content-location|content-range|' +
  'content-type|cookie|date|etag|expect|expires|from|host|if-match|if-modified-since|' +
  'if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|' +
  'proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|' +
  'strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate'
)
  .split('|')
  .map((text) => {
    const [name = '', value = ''] = text.split('=');
    return { name, value };
  });

/** What a field counts for beside its name and value, in the table and in a list. */
const FIELD_BYTES = 32;
/** SETTINGS_HEADER_TABLE_SIZE's default, which is not changed here. */
const TABLE_BYTES_MAX = 4_096;

/** Reads the blocks of headers of one connection, which build on each other (RFC 7541). */
export class HpackDecoder {
  readonly #listBytesMax: number;
  /** The dynamic table, the newest field last. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #tableBytesMax = TABLE_BYTES_MAX;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @param listBytesMax what a request's headers may count for */
  constructor(listBytesMax: number) {
    this.#listBytesMax = listBytesMax;
  }

  /** Values of a name that comes twice are joined by a comma. @throws HpackError */
  decode(block: Uint8Array): Headers {
    this.#bytes = block;
    this.#at = 0;
    const headers = new Map<string, string>();
    let listBytes = 0;
    while (this.#at < block.length) {
      const field = this.#field();
      if (field === null) continue;
      const { name, value } = field;
      listBytes += sizeOf(field);
      if (listBytes > this.#listBytesMax) throw new HpackError('the headers are too large');
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before},${value}`);
    }
    return headers;
  }

  /** Null: it was a change of the table's size. */
  #field(): Field | null {
    const byte = this.#bytes[this.#at] ?? 0;
    if (byte & 0x80) return this.#indexed(this.#integer(7));
    if (byte & 0x40) {
      const field = this.#literal(this.#integer(6));
      this.#insert(field);
      return field;
    }
    if (byte & 0x20) {
      this.#tableBytesMax = this.#integer(5);
      if (this.#tableBytesMax > TABLE_BYTES_MAX) throw new HpackError('the table is too large');
      this.#evict(0);
      return null;
    }
    return this.#literal(this.#integer(4));
  }

  #indexed(index: number): Field {
    const field =
      index <= STATIC_TABLE.length
        ? STATIC_TABLE[index - 1]
        : this.#table[this.#table.length + STATIC_TABLE.length - index];
    if (field === undefined) throw new HpackError(`there is no field ${index}`);
    return field;
  }

  #literal(index: number): Field {
    const name = index === 0 ? this.#string() : this.#indexed(index).name;
    return { name, value: this.#string() };
  }

  #insert(field: Field): void {
    const bytes = sizeOf(field);
    this.#evict(bytes);
    // One that is larger than the table leaves it empty.
    if (bytes > this.#tableBytesMax) return;
    this.#table.push(field);
    this.#tableBytes += bytes;
  }

  #evict(roomBytes: number): void {
    while (this.#tableBytes + roomBytes > this.#tableBytesMax) {
      const oldest = this.#table.shift();
      if (oldest === undefined) return;
      this.#tableBytes -= sizeOf(oldest);
    }
  }

  /** The first octet's lower bits, and what follows where all of them are ones. */
  #integer(bits: number): number {
    const most = 2 ** bits - 1;
    let value = this.#octet() & most;
    if (value < most) return value;
    for (let scale = 1; ; scale *= 128) {
      // Larger numbers than that are nowhere of use.
      if (scale > 2 ** 21) throw new HpackError('a number is too large');
      const byte = this.#octet();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  #string(): string {
    const isCoded = ((this.#bytes[this.#at] ?? 0) & 0x80) !== 0;
    const length = this.#integer(7);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (bytes.length < length) throw new HpackError('a string is cut short');
    this.#at += length;
    if (!isCoded) return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
    const text = decodeHuffman(bytes);
    if (text === null) throw new HpackError('a string is not coded as it says');
    return text;
  }

  #octet(): number {
    const byte = this.#bytes[this.#at++];
    if (byte === undefined) throw new HpackError('a block is cut short');
    return byte;
  }
}

function sizeOf({ name, value }: Field): number {
  return name.length + value.length + FIELD_BYTES;
}

/**
 * A block of headers for an answer, without tables: names and values as they are, which are ASCII
 * and, for every name, short.
 */
export function encodeHeaders(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => {
      const status = name === ':status' && value === '200';
      return status ? [STATUS_200] : [LITERAL, encodeString(name), encodeString(value)];
    }),
  );
}

/** Field 8 of the static table. */
const STATUS_200 = Buffer.of(0x88);
/** Without a name of the tables, and not to be put there. */
const LITERAL = Buffer.of(0);

function encodeString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const length: number[] = [];
  let rest = bytes.length;
  if (rest < 127) length.push(rest);
  else {
    length.push(127);
    for (rest -= 127; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}
