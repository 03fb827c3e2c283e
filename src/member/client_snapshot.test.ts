import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { EtcdError } from '../api/error.ts';
import type { SnapshotResponse } from '../api/gen/rpc_pb.ts';
import { chunkLength, readSnapshotHead, SNAPSHOT_HASH_BYTES } from '../api/snapshot_file.ts';
import { limits } from '../config.ts';
import { must } from '../lib/assert.ts';
import { concatBytes } from '../lib/bytes.ts';
import { StateMachine } from '../state/machine.ts';
import { installed, Single } from '../state/testing/single.ts';
import { ClientSnapshot } from './client_snapshot.ts';

/** A client that takes what it is sent when it is told to. */
class Client {
  readonly frames: SnapshotResponse[] = [];
  ended: { readonly error: EtcdError | undefined } | null = null;
  bufferedBytes = 0;
  bufferedMax = 0;
  #drained: (() => void) | null = null;

  send(frame: SnapshotResponse): void {
    this.frames.push(frame);
    this.bufferedBytes += frame.blob.length;
    this.bufferedMax = Math.max(this.bufferedMax, this.bufferedBytes);
  }

  end(error?: EtcdError): void {
    this.ended = { error };
  }

  changed(): void {}

  drained(callback: () => void): void {
    this.#drained = callback;
  }

  /** Takes what is there; false when nothing will come. */
  take(): boolean {
    this.bufferedBytes = 0;
    const callback = this.#drained;
    this.#drained = null;
    callback?.();
    return callback !== null;
  }
}

function rig() {
  const member = new Single();
  member.grant(7n);
  for (let i = 0; i < 40; i++) member.put(`k${i}`, 'x'.repeat(50_000), { lease: 7n });
  const client = new Client();
  const timers: (() => void)[] = [];
  const host = {
    machine: () => member.machine,
    guard: <T>(work: () => T) => work(),
    setTimer: (callback: () => void) => {
      timers.push(callback);
    },
  };
  const snapshot = new ClientSnapshot(host, client, { version: '3.5.21', cluster: 'cafe' });
  return { member, client, snapshot, timers };
}

function chunksOf(file: Uint8Array, start: number): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = start; at < file.length - SNAPSHOT_HASH_BYTES; ) {
    const length = chunkLength(file.subarray(at));
    chunks.push(file.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return chunks;
}

describe('a snapshot for a client', () => {
  it('is a file from which the state can be made again, with its hash behind it', () => {
    const { member, client, snapshot } = rig();
    const expected = member.machine.hashKv(0);
    snapshot.pump();
    for (let i = 0; client.take(); i++) member.put(`k${i % 50}`, 'later');
    expect(client.ended).toEqual({ error: undefined });
    const file = concatBytes(client.frames.map(({ blob }) => blob));
    const body = file.subarray(0, -SNAPSHOT_HASH_BYTES);
    const hash = createHash('sha256').update(body).digest();
    expect(Buffer.from(must(client.frames.at(-1), 'a last frame').blob)).toEqual(hash);
    const { info, headBytes } = readSnapshotHead(file);
    expect(info).toEqual({ version: '3.5.21', cluster: 'cafe', revision: 41, index: 41, term: 1 });
    const machine = installed(chunksOf(file, headBytes));
    expect(machine.hashKv(0)).toEqual(expected);
    expect(machine.leaseTimeToLive(7n, true)?.keys).toHaveLength(40);
  });

  it('comes in small pieces, no faster than they are taken, and counts down to zero', () => {
    const { client, snapshot } = rig();
    snapshot.pump();
    while (client.take());
    for (const { blob } of client.frames) {
      expect(blob.length).toBeLessThanOrEqual(limits.snapshotBlobBytes);
    }
    const most = limits.streamHighWaterBytes + limits.snapshotBlobBytes;
    expect(client.bufferedMax).toBeLessThanOrEqual(most);
    const remaining = client.frames.map(({ remainingBytes }) => Number(remainingBytes));
    expect(remaining.slice(-2)).toEqual([0, 0]);
    const counted = remaining.slice(0, -1);
    expect(counted).toEqual([...new Set(counted)].sort((a, b) => b - a));
  });

  it('holds compacted rows back until it is over, also when the client goes away', () => {
    const { member, client, snapshot } = rig();
    snapshot.pump();
    member.compact(member.machine.revision);
    expect(member.machine.compactSlice()).toBe(false);
    snapshot.close();
    client.take();
    expect(snapshot.isOver).toBe(true);
    while (member.machine.compactSlice());
    expect(member.machine.compactionPending).toBe(false);
  });

  it('gives a client up that takes nothing any more', () => {
    const { client, snapshot, timers } = rig();
    snapshot.pump();
    timers.shift()?.();
    expect(client.ended).toBeNull();
    client.take();
    timers.shift()?.();
    expect(client.ended).toBeNull();
    timers.shift()?.();
    expect(client.ended?.error?.message).toMatch(/was not taken by its client/);
    expect(snapshot.isOver).toBe(true);
    expect(timers).toEqual([]);
  });

  it('ends with an error when the member gets another state meanwhile', () => {
    const { member, client, snapshot } = rig();
    snapshot.pump();
    member.machine = new StateMachine(member.store);
    client.take();
    expect(client.ended?.error?.message).toMatch(/was sent a snapshot itself/);
    expect(snapshot.isOver).toBe(true);
  });
});
