import { describe, expect, it } from 'vitest';
import { seededPrng } from '../lib/prng.ts';
import type { StateMachine } from '../state/machine.ts';
import { put, Single } from '../state/testing/single.ts';
import { header } from '../watch/testing/client.ts';
import type { Node } from './node.ts';
import { type WatchedMember, Watching } from './watching.ts';

/** A member of which only the state is real. */
function world() {
  const single = new Single();
  const auth = { revision: 1, enabled: false };
  const failures: unknown[] = [];
  const tasks: (() => void)[] = [];
  const machine = new Proxy(single.machine, {
    get: (target, name) => (name === 'auth' ? auth : Reflect.get(target, name, target)),
  }) as StateMachine;
  const node = {
    machine,
    soft: { term: 1 },
    guard: (work: () => void) => {
      try {
        work();
      } catch (error) {
        failures.push(error);
      }
    },
  } as unknown as Node;
  const settings = { watchProgressNotifyIntervalMs: 1_000 };
  const member = { node, settings, header } as unknown as WatchedMember;
  const watching = new Watching(member, {
    prng: seededPrng(1),
    nowMs: () => 0,
    setTimer: () => {},
    soon: (callback) => tasks.push(callback),
    defer: (callback) => tasks.push(callback),
  });
  const write = () => watching.applied(single.apply({ case: 'put', value: put('a', '1') }));
  const run = () => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
  };
  return { watching, auth, failures, write, run };
}

const key = Uint8Array.of(97);

describe('the watches of a member', () => {
  it('are told of what was applied once rights were looked at', () => {
    const { watching, auth, write, run } = world();
    const said: string[] = [];
    watching.streams.add({
      wantsProgress: false,
      notifyProgress: () => {},
      recheck: () => said.push('recheck'),
    });
    const listener = { events: () => void said.push('events'), compacted: () => {} };
    watching.hub.watch({ key }, listener);
    for (const change of [{}, { revision: 2 }, { enabled: true }]) {
      Object.assign(auth, change);
      write();
      run();
    }
    expect(said).toEqual(['events', 'recheck', 'events', 'recheck', 'events']);
  });

  it('end the member when something in them is broken', () => {
    const { watching, failures, write, run } = world();
    const broken = new Error('broken');
    const listener = {
      events: () => {
        throw broken;
      },
      compacted: () => {},
    };
    watching.hub.watch({ key }, listener);
    write();
    run();
    expect(failures).toEqual([broken]);
  });
});
