import { create } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import type { CallContext } from '../../api/call.ts';
import { EtcdError } from '../../api/error.ts';
import { MemberAddSchema } from '../../api/gen/command_pb.ts';
import {
  Cluster,
  MemberUpdateRequestSchema,
  type MemberUpdateResponse,
} from '../../api/gen/rpc_pb.ts';
import { must } from '../../lib/assert.ts';
import { Single } from '../../state/testing/single.ts';
import { clusterService } from './cluster.ts';
import { singleHost } from './testing/single_host.ts';

const ADDED = 9n;

describe('an update of a member', () => {
  let member: Single;
  /** What others have done, and this member hears of when it asks for what is current. */
  let unheard: Uint8Array[];
  beforeEach(() => {
    member = new Single();
    unheard = [];
  });

  const host = singleHost(
    () => member,
    async () => {
      for (const data of unheard.splice(0)) {
        const index = member.machine.appliedIndex + 1;
        member.machine.apply({ index, term: 1, data, confChange: true });
      }
    },
  );

  const add = (): void => {
    const value = create(MemberAddSchema, { memberId: ADDED, peerUrls: ['http://10.0.0.9:2380'] });
    unheard.push(member.encode({ case: 'memberAdd', value }, 2, 1));
  };

  async function update(ID: bigint, ...peerURLs: string[]): Promise<string> {
    const { memberUpdate } = Cluster.method;
    const route = clusterService(host).find(({ method }) => method === memberUpdate);
    const request = create(MemberUpdateRequestSchema, { ID, peerURLs }) as never;
    try {
      const answer = await must(route, 'it is served').serve(request, {} as CallContext);
      return (answer as MemberUpdateResponse).members.flatMap((each) => each.peerURLs).join();
    } catch (error) {
      if (error instanceof EtcdError) return error.message;
      throw error;
    }
  }

  it('finds one that was added before, though this member has not heard of it yet', async () => {
    add();
    expect(await update(ADDED, 'http://10.0.0.10:2380')).toBe('http://10.0.0.10:2380');
  });

  it('is refused where nobody has that id', async () => {
    add();
    expect(await update(8n, 'http://10.0.0.8:2380')).toBe('etcdserver: member not found');
  });

  it('is refused without a URL, once it is known that there is such a member', async () => {
    add();
    const invalid = 'etcdserver: given member URLs are invalid';
    expect([await update(ADDED), await update(8n)]).toEqual([
      invalid,
      'etcdserver: member not found',
    ]);
  });
});
