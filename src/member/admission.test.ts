import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { MemberListResponseSchema } from '../api/gen/rpc_pb.ts';
import { decodeFrame, encodeReply, type FrameReply } from '../transport/frame.ts';
import { Links } from '../transport/links.ts';
import { admit } from './admission.ts';
import { type ClusterIdentity, numberOfId } from './identity.ts';
import { Roster } from './roster.ts';
import { memberSettings } from './settings.ts';

type Hello = FrameReply['status'];

/** One peer, m1, that knows who the members are and says what it thinks of a new one. */
class Rig {
  readonly said: string[] = [];
  readonly presented: ClusterIdentity[] = [];
  /** What m1 says to hellos, one after another; the last one for ever. */
  hellos: Hello[] = ['ok'];
  /** Ids at do://m2 as m1 knows them, one after another. */
  ids: string[] = [];
  clusterId = '';

  admit(variables: Record<string, string> = {}) {
    const settings = memberSettings('c/m2', {
      ETCD_INITIAL_CLUSTER: 'm1=do://m1,m2=do://m2',
      ...variables,
    });
    const link = { exchange: async (body: Uint8Array) => this.#answer(body) };
    return admit(settings, {
      databaseId: 'd',
      linkTo: () => link,
      sleep: async () => {
        if (this.said.length > 20) throw new Error('never admitted');
      },
      waiting: (reason) => void this.said.push(reason),
      refused: (reason) => void this.said.push(`refused: ${reason}`),
      durable: async () => {},
      present: (identity) => {
        this.presented.push(identity);
        const { clusterId, memberId, members } = identity;
        this.clusterId ||= clusterId;
        const self = { clusterId, memberId, databaseId: 'd' };
        const ignore = () => {};
        const events = {
          received: ignore,
          after: ignore,
          unreachable: ignore,
          snapshotStatus: ignore,
          exchanged: ignore,
          failed: ignore,
          check: () => null,
          removed: ignore,
        };
        const m1 = members.find(({ name }) => name === 'm1')?.id ?? '';
        const links = new Links(self, new Map([[m1, link]]), events, () => 0);
        return { links, roster: new Roster(identity, []) } as never;
      },
    });
  }

  #answer(body: Uint8Array): Uint8Array {
    const sender = { clusterId: this.clusterId, memberId: this.#m1, databaseId: 'd1' };
    const reply = { sender, status: 'ok' as Hello, reason: '', messages: [], call: null };
    if (decodeFrame(body).body.kind === 'hello') {
      const status = (this.hellos.length > 1 ? this.hellos.shift() : this.hellos[0]) ?? 'ok';
      return encodeReply({ ...reply, status, reason: status });
    }
    const id = (this.ids.length > 1 ? this.ids.shift() : this.ids[0]) ?? '';
    const members = [{ ID: numberOfId(this.#m1), name: 'm1', peerURLs: ['do://m1'] }];
    if (id !== '') members.push({ ID: numberOfId(id), name: '', peerURLs: ['do://m2'] });
    const header = { clusterId: numberOfId(this.clusterId || '1') };
    const list = create(MemberListResponseSchema, { header, members });
    const call = { response: toBinary(MemberListResponseSchema, list) };
    return encodeReply({ ...reply, call });
  }

  get #m1(): string {
    const [identity] = this.presented;
    return identity?.members.find(({ name }) => name === 'm1')?.id ?? '00000000000000a1';
  }
}

const NEW_ID = '00000000000000b2';

it('a founder needs nobody to tell it who it is', async () => {
  const rig = new Rig();
  const identity = await rig.admit();
  expect(identity?.arrived).toBeUndefined();
  expect(identity).toBe(rig.presented[0]);
  expect(rig.said).toEqual([]);
});

it('one that joins asks, and is who the others say', async () => {
  const rig = new Rig();
  rig.ids = ['', NEW_ID];
  const identity = await rig.admit({ ETCD_INITIAL_CLUSTER_STATE: 'existing' });
  expect(identity).toMatchObject({ arrived: true, memberId: NEW_ID });
  expect(rig.said).toEqual([
    'waiting to be added: no member of the cluster has the peer URL do://m2',
  ]);
});

it.each<Hello>(['refused', 'removed'])(
  'a founder that is %s joins under another id',
  async (no) => {
    const rig = new Rig();
    rig.hellos = [no, 'ok'];
    const old = '00000000000000b1';
    rig.ids = [old, NEW_ID];
    const identity = await rig.admit();
    expect(identity).toMatchObject({ arrived: true });
    expect(rig.presented[0]?.memberId).not.toBe(identity?.memberId);
    expect(rig.said[0]).toBe(`refused: ${no}`);
  },
);

it('one of another cluster is refused for good', async () => {
  const rig = new Rig();
  rig.clusterId = '00000000000000cc';
  rig.hellos = ['refused'];
  expect(await rig.admit()).toBeNull();
  expect(rig.said).toEqual(['refused: refused']);
});
