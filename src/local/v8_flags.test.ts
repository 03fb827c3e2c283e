import { Message, ObjectSize, Struct, TextList, utils } from 'capnp-es';
import { expect, test } from 'vitest';
import { withV8Flags } from './v8_flags.ts';

/** The parts of workerd.capnp's Config that are texts: as it is now, and as it was before flags. */
class Config extends Struct {
  static override readonly _capnp = { displayName: 'Config', id: '', size: new ObjectSize(8, 6) };

  texts(at: number): TextList {
    return utils.getList(at, TextList, this);
  }
}

class OldConfig extends Struct {
  static override readonly _capnp = { displayName: 'Config', id: '', size: new ObjectSize(0, 2) };
}

function encoded(Root: typeof Config | typeof OldConfig, at: number): Uint8Array {
  const message = new Message();
  const list = utils.initList(at, TextList, 2, message.initRoot(Root));
  list.set(0, 'one');
  list.set(1, 'x'.repeat(70_000));
  return new Uint8Array(message.toArrayBuffer());
}

test.each([
  ['as it is', Config, 4],
  ['of an earlier workerd', OldConfig, 1],
])('flags are added to a configuration %s, and nothing else changes', (_, Root, at) => {
  const config = withV8Flags(encoded(Root, at), ['--first', '--second=2']);
  const root = new Message(config, false).getRoot(Config);
  expect([...root.texts(2)]).toEqual(['--first', '--second=2']);
  expect([...root.texts(at)]).toEqual(['one', 'x'.repeat(70_000)]);
});
