import fc from 'fast-check';
import type { WatchRequest } from '../../api/gen/rpc_pb.ts';
import { deleteRange, ops, put, txn } from '../../state/testing/single.ts';
import { StreamChecker } from './checker.ts';
import { Client, requests } from './client.ts';
import { Member } from './member.ts';

/** One thing that happens in a random life of a member and its clients. */
export type Step =
  | { readonly does: 'put' | 'delete'; readonly key: string }
  | { readonly does: 'txn'; readonly keys: readonly string[]; readonly gone: string }
  | { readonly does: 'compact'; readonly back: number }
  | { readonly does: 'apply'; readonly count: number }
  | { readonly does: 'step'; readonly count: number }
  | { readonly does: 'install' | 'settle' }
  | ({ readonly does: 'watch'; readonly client: number; readonly ahead: number | null } & WatchWish)
  | { readonly does: 'cancel'; readonly client: number; readonly id: number }
  | { readonly does: 'progress' | 'notify' | 'read'; readonly client: number }
  | { readonly does: 'restart'; readonly flushed: boolean }
  | { readonly does: 'stall'; readonly client: number; readonly unread: number };

interface WatchWish {
  readonly key: string;
  readonly end: string;
  readonly filters: number[];
  readonly prevKv: boolean;
  readonly fragment: boolean;
}

const CLIENTS = 3;
const key = fc.constantFrom('a', 'b', 'c', 'd', 'dd', 'e');
const client = fc.nat(CLIENTS - 1);

const watch = fc.record({
  does: fc.constant('watch' as const),
  client,
  key: fc.oneof({ weight: 9, arbitrary: key }, { weight: 1, arbitrary: fc.constant('') }),
  end: fc.constantFrom('', '', '\0', 'c', 'e', 'f'),
  ahead: fc.oneof(fc.constant(null), fc.integer({ min: -8, max: 6 })),
  filters: fc.oneof(
    { weight: 4, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.subarray([0, 1]) },
  ),
  prevKv: fc.boolean(),
  fragment: fc.boolean(),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ does: fc.constant('put' as const), key }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('delete' as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('txn' as const),
      keys: fc.uniqueArray(key, { maxLength: 3 }),
      gone: fc.constantFrom('', 'x', 'd'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('compact' as const), back: fc.nat(6) }) },
  { weight: 6, arbitrary: fc.record({ does: fc.constant('apply' as const), count: fc.nat(4) }) },
  { weight: 5, arbitrary: fc.record({ does: fc.constant('step' as const), count: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constantFrom('install' as const, 'settle') }) },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('restart' as const), flushed: fc.boolean() }),
  },
  { weight: 4, arbitrary: watch },
  {
    weight: 1,
    arbitrary: fc.record({ does: fc.constant('cancel' as const), client, id: fc.nat(3) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      does: fc.constantFrom('progress' as const, 'notify', 'read'),
      client,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      does: fc.constant('stall' as const),
      client,
      unread: fc.constantFrom(0, 500, 5_000),
    }),
  },
);

export const life = fc.array(step, { maxLength: 150, size: 'max' });

/** A member, its clients, and what checks each client's stream. */
class World {
  readonly member: Member;
  readonly clients: { client: Client; checker: StreamChecker }[];
  #values = 0;

  constructor(bugs: ReadonlySet<string>) {
    this.member = new Member(bugs);
    this.clients = Array.from({ length: CLIENTS }, () => {
      const checker = new StreamChecker(this.member);
      const client = new Client(this.member, (response) => checker.response(response), 60);
      return { client, checker };
    });
  }

  do(step: Step): void {
    const { member } = this;
    switch (step.does) {
      case 'put':
        return this.#write({ case: 'put', value: put(step.key, this.#value()) });
      case 'delete':
        return this.#write({ case: 'deleteRange', value: deleteRange(step.key, 'd') });
      case 'txn': {
        const puts = step.keys.map((each) => ops.put(each, this.#value()));
        const success = step.gone === '' ? puts : [ops.delete('x', 'z'), ...puts];
        return this.#write({ case: 'txn', value: txn({ success }) });
      }
      case 'compact': {
        const revision = BigInt(member.leader.machine.revision - step.back);
        const $typeName = 'etcdserverpb.CompactionRequest' as const;
        const value = { $typeName, revision, physical: false };
        return this.#write({ case: 'compaction', value });
      }
      case 'apply':
        return member.apply(step.count);
      case 'step':
        for (let i = 0; i < step.count; i++) member.step();
        return;
      case 'install':
        return member.install();
      case 'settle':
        return member.settle();
      case 'restart':
        return this.#restart(step.flushed);
      default:
        return this.#ofClient(step);
    }
  }

  /** Everybody reads, and everything has been said. */
  finish(): void {
    this.member.apply();
    for (const { client } of this.clients) client.read();
    this.member.settle();
    for (const { checker } of this.clients) checker.finish();
  }

  /** The streams are WebSockets, which outlive the instance. */
  #restart(flushed: boolean): void {
    const saved = this.clients.map(({ client }) => {
      const text = client.save();
      client.stream.close();
      return text;
    });
    this.member.restart(flushed);
    this.clients.forEach(({ client }, i) => {
      client.resume(saved[i] as string);
    });
  }

  #ofClient(step: Extract<Step, { client: number }>): void {
    const { client, checker } = this.clients[step.client] as (typeof this.clients)[number];
    switch (step.does) {
      case 'watch': {
        const request = this.#watchRequest(step);
        const { requestUnion } = request;
        if (requestUnion.case === 'createRequest') checker.asks(requestUnion.value);
        return client.stream.receive(request);
      }
      case 'cancel':
        return client.stream.receive(requests.cancel(BigInt(step.id)));
      case 'progress':
        return client.stream.receive(requests.progress());
      case 'notify':
        return client.stream.notifyProgress();
      case 'read':
        return client.read();
      case 'stall':
        return client.stall(step.unread);
    }
  }

  #watchRequest(step: Extract<Step, { does: 'watch' }>): WatchRequest {
    const { ahead, filters, prevKv, fragment } = step;
    const startRevision =
      ahead === null ? 0n : BigInt(Math.max(1, this.member.leader.machine.revision + ahead));
    const fields = { startRevision, filters, prevKv, fragment, progressNotify: true };
    return requests.create(step.key, step.end, fields);
  }

  #write(request: Parameters<Member['write']>[0]): void {
    this.member.write(request);
  }

  #value(): string {
    return String(++this.#values);
  }
}

/** Lives through the steps; what is wrong is thrown. */
export function live(steps: readonly Step[], bugs: ReadonlySet<string> = new Set()): void {
  const world = new World(bugs);
  for (const step of steps) world.do(step);
  world.finish();
}
