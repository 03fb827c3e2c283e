import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { create } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import { type CommandFields, encodeCommand } from '../../src/api/command.ts';
import { PutRequestSchema } from '../../src/api/gen/rpc_pb.ts';
import { must } from '../../src/lib/assert.ts';
import { utf8 } from '../../src/lib/bytes.ts';
import { decodeReply, encodeFrame, type PeerIdentity } from '../../src/transport/frame.ts';
import { post, put, readValue, until, untilWritable } from './client.ts';

const MEMBERS = ['m1', 'm2', 'm3'] as const;

beforeAll(async () => {
  for (const member of MEMBERS) await untilWritable(member);
});

/** A member as its peers know it. */
interface Speaker {
  readonly name: string;
  readonly sender: PeerIdentity;
  readonly epoch: number;
  readonly term: number;
  readonly leads: boolean;
}

/** What a member would write over its messages: from its answers, and from its database. */
async function speakerOf(name: string): Promise<Speaker> {
  const { json } = await post('/v3/maintenance/status', {}, name);
  const header = json['header'] as Record<string, string>;
  const hex = (field: string) =>
    BigInt(header[field] ?? 0)
      .toString(16)
      .padStart(16, '0');
  const stub = env.MEMBER.getByName(`edgetcd/${name}`);
  const [databaseId, epoch] = await runInDurableObject(stub, (_, { storage }) => {
    const value = (row: string) =>
      storage.sql.exec('SELECT value FROM meta WHERE name = ?', row).one()['value'];
    return [String(value('databaseId')), Number(value('epoch'))] as const;
  });
  return {
    name,
    sender: { clusterId: hex('cluster_id'), memberId: hex('member_id'), databaseId },
    epoch,
    term: Number(header['raft_term']),
    leads: json['leader'] === header['member_id'],
  };
}

/** Puts bytes into the log as a follower passes on what its own clients propose. */
async function propose(data: Uint8Array): Promise<Speaker> {
  // An election may be under way.
  const all = await until(
    () => Promise.all(MEMBERS.map(speakerOf)),
    (speakers) =>
      speakers.filter(({ leads }) => leads).length === 1 &&
      new Set(speakers.map(({ term }) => term)).size === 1,
  );
  const leader = must(
    all.find(({ leads }) => leads),
    'a leader',
  );
  const { sender, epoch, term } = must(
    all.find(({ leads }) => !leads),
    'a follower',
  );
  const envelope = { from: sender.memberId, to: leader.sender.memberId, term, epoch };
  const frame = encodeFrame({
    sender,
    body: { kind: 'messages', messages: [{ type: 'propose', ...envelope, proposals: [data] }] },
  });
  const stub = env.MEMBER.getByName(`edgetcd/${leader.name}`);
  const answer = await stub.raft(frame.slice().buffer as ArrayBuffer);
  expect(decodeReply(new Uint8Array(answer))).toMatchObject({ status: 'ok', reason: '' });
  return leader;
}

/** How far a member has applied the log, and what it then holds. */
async function placeOf(member: string) {
  const { json } = await post('/v3/maintenance/status', {}, member);
  const { json: hashed } = await post('/v3/maintenance/hashkv', {}, member);
  expect(hashed['hash']).toBeTypeOf('number');
  const { raftAppliedIndex } = json as Record<string, string>;
  return { applied: Number(raftAppliedIndex), hash: hashed['hash'] };
}

const stranger = (fields: CommandFields): Uint8Array =>
  encodeCommand({ memberId: 'x', epoch: 1n, ...fields });

/** Entries that no member of this release proposes. The log takes any bytes: applying must cope. */
const POISON: readonly (readonly [what: string, data: Uint8Array])[] = [
  ['bytes that are no command', Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
  ['a text', utf8('these are not the bytes you are looking for')],
  ['a command that is cut short', stranger({ sequence: 1n }).subarray(0, 2)],
  ['a command without a request', stranger({ sequence: 2n })],
  [
    'a put with an empty key',
    stranger({ sequence: 3n, request: { case: 'put', value: create(PutRequestSchema) } }),
  ],
  ['a megabyte of zeros', new Uint8Array(1_000_000)],
];

describe('an entry that cannot be applied', () => {
  it.each(POISON)('%s: leaves the members equal and serving', async (what, data) => {
    const before = (await placeOf('m1')).applied;
    const leader = await propose(data);
    await until(
      () => placeOf(leader.name),
      ({ applied }) => applied > before,
    );
    for (const member of MEMBERS) {
      expect((await put('serving', `${what} ${member}`, member)).status).toBe(200);
      expect(await readValue('serving', member)).toBe(`${what} ${member}`);
    }
    const places = await until(
      () => Promise.all(MEMBERS.map(placeOf)),
      (list) => new Set(list.map(({ applied }) => applied)).size === 1,
    );
    expect(new Set(places.map(({ hash }) => hash)).size).toBe(1);
    // Nobody had to stop for it.
    const after = await Promise.all(MEMBERS.map(speakerOf));
    expect(after.find(({ name }) => name === leader.name)?.epoch).toBe(leader.epoch);
  });
});
