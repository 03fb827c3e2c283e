import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';

/** A body and whether any decoder may take it. */
export interface BadBody {
  readonly what: string;
  readonly body: string;
  /**
   * `refused`: no value of the message. `odd`: JSON that stands for some message, from which
   * nothing may follow but an answer.
   */
  readonly kind: 'refused' | 'odd';
}

const nested = (levels: number, open: string, close: string) =>
  open.repeat(levels) + close.repeat(levels);

/** What is not JSON, or not an object. */
const NO_OBJECTS: readonly (readonly [what: string, body: string])[] = [
  ['a text', '"key"'],
  ['a number', '7'],
  ['a list', '[]'],
  ['a list of objects', '[{}]'],
  ['true', 'true'],
  ['a brace too few', '{"x":"YQ=="'],
  ['a brace too many at the start', '{{}'],
  ['no quotes', '{key:"YQ=="}'],
  ['single quotes', "{'key':'YQ=='}"],
  ['a comma at the end', '{"x":1,}'],
  ['no value', '{"x":}'],
  ['a control character', '{"x":"\u0001"}'],
  ['an escape that is none', '{"x":"\\q"}'],
  ['a number with a zero before it', '{"x":01}'],
  ['a number that is none', '{"x":NaN}'],
  ['a mark of byte order', '\ufeff{}'],
  ['binary', '\u0000\u0001\u0002'],
  ['100,000 lists in one another', nested(100_000, '[', ']')],
  ['200 objects in one another', `${'{"x":'.repeat(200)}1${'}'.repeat(200)}`],
];

/** What is an object, but not what anybody meant. */
const ODD_OBJECTS: readonly (readonly [what: string, body: string])[] = [
  ['null', 'null'],
  ['nothing', ''],
  ['an empty object', '{}'],
  ['unknown fields', '{"nonsense":{"deep":[1,{"a":null}]},"":0,"__proto__":{"key":"YQ=="}}'],
  ['text after the object', '{} and more'],
];

/** Every kind of bad body for a method of this input. */
export function badBodies(input: DescMessage): BadBody[] {
  return [
    ...NO_OBJECTS.map(([what, body]) => ({ what, body, kind: 'refused' as const })),
    ...ODD_OBJECTS.map(([what, body]) => ({ what, body, kind: 'odd' as const })),
    ...fieldsOf(input, [], []),
  ];
}

/** Wrong values for every field, those of messages inside included. */
function fieldsOf(
  input: DescMessage,
  path: readonly DescField[],
  seen: readonly DescMessage[],
): BadBody[] {
  if (seen.includes(input)) return [];
  return input.fields.flatMap((field) => {
    const here = [...path, field];
    const name = here.map((each) => each.name).join('.');
    const bodies = valuesFor(field).map(([value, kind]) => ({
      what: `${name} = ${value.length > 40 ? `${value.slice(0, 40)}…` : value}`,
      body: around(here, value),
      kind,
    }));
    const inner = field.message ? fieldsOf(field.message, here, [...seen, input]) : [];
    const twice: BadBody = {
      what: `${name} given twice`,
      body: around(here, 'null').replace(/("\w+":null)/, '$1,$1'),
      kind: 'odd',
    };
    return [...bodies, twice, ...inner];
  });
}

/** The value in its field, that in its message, and so on, elements in their lists. */
function around(path: readonly DescField[], value: string): string {
  return path.reduceRight((inner, field, at) => {
    // Of the last field the value is what is wrong, be it a list or an element.
    const isList = field.fieldKind === 'list' && at < path.length - 1;
    return `{${JSON.stringify(field.name)}:${isList ? `[${inner}]` : inner}}`;
  }, value);
}

type Value = readonly [value: string, kind: BadBody['kind']];

/** JSON that the field cannot hold, and JSON at its edges. */
function valuesFor(field: DescField): Value[] {
  if (field.fieldKind === 'list') {
    const elements = field.listKind === 'message' ? ['5', '"x"', '[]'] : ['{}', '[]'];
    const wrong = ['{}', '5', '"x"', 'true', ...elements.map((each) => `[${each}]`)];
    return [...refused(wrong), ['null', 'odd'], ['[]', 'odd']];
  }
  if (field.fieldKind === 'message') {
    return [...refused(['5', '"x"', '[]', 'true']), ['null', 'odd'], ['{}', 'odd']];
  }
  if (field.fieldKind === 'enum') {
    const wrong = ['"SIDEWAYS"', '"0x1"', '{}', '[]', 'true', '1.5', '99999999999'];
    return [...refused(wrong), ['null', 'odd'], ['-1', 'odd'], ['77', 'odd'], ['""', 'odd']];
  }
  if (field.fieldKind !== 'scalar') return [];
  return scalarsFor(field.scalar);
}

function scalarsFor(scalar: ScalarType): Value[] {
  const none: Value = ['null', 'odd'];
  switch (scalar) {
    case ScalarType.BOOL:
      return [...refused(['"true"', '1', '{}', '[]', '"yes"']), none];
    case ScalarType.STRING:
      return [...refused(['5', '{}', '[]', 'true']), none, ['""', 'odd'], ['"\\ud800"', 'odd']];
    case ScalarType.BYTES:
      return [...refused(['5', '{}', '["YQ=="]', 'true', '"*"', '"YQ=YQ"', '"Y"']), none];
    case ScalarType.UINT64:
      return [
        ...numbers('18446744073709551616', ['"18446744073709551615"', '"9223372036854775808"']),
      ];
    default:
      return numbers('9223372036854775808', ['"9223372036854775807"', '"-9223372036854775808"']);
  }
}

function numbers(tooLarge: string, edges: readonly string[]): Value[] {
  const wrong = ['"many"', '1.5', '{}', '[]', 'true', '"0x10"', '"1 2"', `"${tooLarge}"`, tooLarge];
  return [
    ...refused([...wrong, '1e400', '"-9223372036854775809"']),
    ...edges.map((edge): Value => [edge, 'odd']),
    ['null', 'odd'],
    ['0', 'odd'],
  ];
}

function refused(values: readonly string[]): Value[] {
  return values.map((value): Value => [value, 'refused']);
}
