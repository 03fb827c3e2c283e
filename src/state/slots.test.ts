import { describe, expect, it } from 'vitest';
import { BYTES_CODEC, type RowCodec } from './row_codec.ts';
import { type Slot, Slots, UNHELD } from './slots.ts';

const DETACHING: RowCodec<Uint8Array> = { ...BYTES_CODEC, detach: (value) => value.slice() };

const slot = (name: string, bytes: number, dirty = false): Slot<Uint8Array> => ({
  name,
  value: new Uint8Array(new ArrayBuffer(4 * bytes), bytes, bytes),
  stored: true,
  dirty,
  generation: UNHELD,
});

/** Names of those in memory. */
function known(slots: Slots<Uint8Array>, names: string): string {
  return [...names].filter((name) => slots.find(name) !== undefined).join('');
}

describe('the slots of a table', () => {
  it('forgets what was neither set nor used for two generations', () => {
    const slots = new Slots(BYTES_CODEC, { entriesMax: 4, bytesMax: 10_000 });
    for (const name of 'abcd') slots.remember(slot(name, 1));
    expect(known(slots, 'abcd')).toBe('abcd');
    slots.use('a');
    for (const name of 'ef') slots.remember(slot(name, 1));
    expect(known(slots, 'abcdef')).toBe('adef');
  });

  it('counts what it took in, replaced or not, because buffers are shared', () => {
    const slots = new Slots(BYTES_CODEC, { entriesMax: 100, bytesMax: 1_000 });
    slots.remember(slot('cold', 100));
    const hot = slot('hot', 100);
    slots.remember(hot);
    for (let written = 0; written <= 1_000; written += 100) slots.takeIn(slots.sizeOf(hot));
    expect(slots.find('cold')).toBeUndefined();
  });

  it('gives what goes on to the next generation a buffer of its own', () => {
    const slots = new Slots(DETACHING, { entriesMax: 2, bytesMax: 10_000 });
    for (const name of 'ab') slots.remember(slot(name, 8));
    expect(slots.find('a')?.value?.buffer.byteLength).toBe(32);
    expect(slots.use('a')?.value?.buffer.byteLength).toBe(8);
  });

  it('never forgets a dirty slot', () => {
    const slots = new Slots(BYTES_CODEC, { entriesMax: 2, bytesMax: 100 });
    const dirty = slot('dirty', 90, true);
    slots.hold(dirty);
    for (const name of 'abcdefgh') slots.remember(slot(name, 10));
    expect(slots.find('dirty')).toBe(dirty);
    dirty.dirty = false;
    for (const name of 'abcdefgh') slots.remember(slot(name, 10));
    expect(slots.find('dirty')).toBeUndefined();
  });

  it('does not take what would take the place of very much else', () => {
    const slots = new Slots(BYTES_CODEC, { entriesMax: 10, bytesMax: 1_000 });
    slots.remember(slot('a', 600));
    expect(slots.find('a')).toBeUndefined();
  });

  it('remembers nothing but what is dirty where nothing else is wanted', () => {
    const slots = new Slots(BYTES_CODEC, null);
    slots.remember(slot('a', 1));
    expect(slots.find('a')).toBeUndefined();
    const dirty = slot('b', 1, true);
    slots.hold(dirty);
    slots.takeIn(1_000_000);
    expect(slots.find('b')).toBe(dirty);
    slots.flushed();
    expect(slots.find('b')).toBeUndefined();
  });
});
