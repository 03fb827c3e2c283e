import { Message, ObjectSize, Struct, TextList, utils } from 'capnp-es';

/**
 * The root of workerd's configuration, as far as it is needed here: `Config.v8Flags` in
 * workerd.capnp. That schema says of it: flags may change or vanish with any release of V8.
 */
class WorkerdConfig extends Struct {
  static override readonly _capnp = {
    displayName: 'Config',
    id: '',
    size: new ObjectSize(0, 3),
  };

  initV8Flags(length: number): TextList {
    return utils.initList(2, TextList, length, this);
  }
}

/**
 * Adds flags for V8 to a configuration of workerd, for which Miniflare has no option.
 * @param config what Miniflare writes to workerd's standard input: one Cap'n Proto message
 */
export function withV8Flags(config: Uint8Array, flags: readonly string[]): Uint8Array {
  const message = new Message(config, false);
  const list = message.getRoot(WorkerdConfig).initV8Flags(flags.length);
  flags.forEach((flag, i) => {
    list.set(i, flag);
  });
  return new Uint8Array(message.toArrayBuffer());
}
