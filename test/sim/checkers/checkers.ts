import { must } from '../../../src/lib/assert.ts';
import type { Entry, MemberId, Message } from '../../../src/raft/message.ts';
import type { PersistBatch } from '../../../src/raft/output.ts';
import type { RaftStatus } from '../../../src/raft/raft.ts';
import type { ApplyResult } from '../../../src/state/result.ts';
import type { DiskChange, DiskImage } from '../disk_image.ts';
import type { Instance } from '../instance.ts';
import type { Observer } from '../observer.ts';
import type { World } from '../world.ts';
import { CommittedLog } from './committed_log.ts';
import { ConfigurationChecker } from './configurations.ts';
import { ContactChecker } from './contact.ts';
import { DurabilityChecker } from './durability.ts';
import { ElectionChecker } from './elections.ts';
import { LeaseChecker } from './leases.ts';
import { LockChecker } from './locks.ts';
import { LogChecker } from './log.ts';
import { OperationChecker } from './reads.ts';
import { RoundChecker } from './rounds.ts';
import { StateChecker } from './state.ts';
import { V2Checker } from './v2.ts';
import type { View } from './view.ts';
import { VoteChecker } from './votes.ts';
import { WatchChecker } from './watches.ts';

/** Hands what happens to the checkers, each of which holds a group of invariants. */
export class Checkers implements Observer {
  readonly committed: CommittedLog;
  readonly configurations: ConfigurationChecker;
  readonly operations: OperationChecker;
  readonly state: StateChecker;
  readonly leases: LeaseChecker;
  readonly watches: WatchChecker;
  readonly locks: LockChecker;
  readonly tree: V2Checker;
  readonly #world: World;
  readonly #elections: ElectionChecker;
  readonly #log: LogChecker;
  readonly #durability: DurabilityChecker;
  readonly #contact: ContactChecker;
  readonly #votes = new VoteChecker();
  readonly #rounds: RoundChecker;
  readonly #views = new Map<Instance, View>();

  constructor(world: World, images: ReadonlyMap<MemberId, DiskImage>) {
    const { coverage } = world;
    this.#world = world;
    const founders = world.plan.members.map(({ id }) => id);
    this.committed = new CommittedLog(founders, coverage);
    this.configurations = new ConfigurationChecker(this.committed, coverage);
    this.leases = new LeaseChecker(world, this.committed);
    this.watches = new WatchChecker(world, this.committed);
    this.locks = new LockChecker(world, this.committed);
    this.tree = new V2Checker(world, this.committed);
    const { leases, tree } = this;
    this.state = new StateChecker(this.committed, { leases, tree }, coverage, world.fork());
    this.#elections = new ElectionChecker(coverage);
    this.#rounds = new RoundChecker(world, this.configurations);
    this.operations = new OperationChecker(world, this.committed, this.#elections, this.#rounds);
    this.#log = new LogChecker(this.committed, this.configurations, coverage, images);
    this.#durability = new DurabilityChecker(images, this.#elections);
    this.#contact = new ContactChecker(world);
  }

  started(instance: Instance): void {
    const { raft } = instance.node.status;
    this.#views.set(instance, {
      epoch: raft.epoch,
      term: raft.term,
      role: raft.role,
      commit: raft.commit,
      applied: instance.node.machine.appliedIndex,
      machine: instance.node.machine,
      results: [],
      installed: null,
      uncommitted: uncommittedEntries(instance.disk.live, raft.commit),
      heardUs: new Map(),
      match: new Map(),
      confState: raft.confState,
      leaderSinceUs: 0,
      quiescent: false,
    });
    this.state.started(instance);
    this.configurations.started(instance, this.#view(instance));
  }

  stepped(instance: Instance): void {
    const view = this.#view(instance);
    const status = instance.node.status.raft;
    this.#log.stepped(instance, view, status);
    this.state.stepped(instance, view);
    this.configurations.stepped(instance, status);
    this.#rolesChanged(instance, view, status);
    this.#contact.stepped(instance, view, status);
    this.operations.settle();
    this.watches.settle();
    this.tree.settle();
  }

  dying(instance: Instance): void {
    const view = this.#views.get(instance);
    if (view !== undefined) this.#log.stepped(instance, view, instance.node.status.raft);
  }

  writing(instance: Instance, batch: PersistBatch): void {
    const view = this.#view(instance);
    if (batch.snapshot !== null) view.installed = batch.snapshot.meta.index;
    const first = batch.entries[0];
    if (first !== undefined) this.#elections.writesAsLeader(instance, first.index);
    this.#votes.writing(instance, batch);
    this.configurations.writing(instance, view, batch);
    this.#log.writing(instance, view, batch);
  }

  durable(id: MemberId, _image: DiskImage, changes: readonly DiskChange[]): void {
    this.#elections.durable(id, changes);
    if (changes.some(({ type }) => type === 'compact')) this.#world.coverage.add('logCompactions');
  }

  sending(instance: Instance, messages: readonly Message[]): void {
    this.#durability.sending(instance, messages);
    this.#rounds.sending(messages);
    if (messages.some(({ type }) => type === 'propose'))
      this.#world.coverage.add('commandsForwarded');
  }

  receiving(instance: Instance, messages: readonly Message[]): void {
    this.#contact.receiving(this.#view(instance), messages);
    this.#votes.receiving(instance, messages);
  }

  applied(instance: Instance, result: ApplyResult): void {
    this.#view(instance).results.push(result);
  }

  #rolesChanged(instance: Instance, view: View, status: RaftStatus): void {
    const wasLeader = view.role === 'leader';
    const isNew = status.role === 'leader' && (!wasLeader || status.term !== view.term);
    if (isNew) {
      this.#elections.elected(instance, status.term);
      this.#votes.elected(instance, status.term, [view.confState, status.confState]);
      this.#log.elected(instance, status.term);
      this.#contact.elected(view);
    } else if (wasLeader && status.role !== 'leader') this.#world.coverage.add('leadersDeposed');
    view.role = status.role;
    // Whom a change makes a voter has not been able to say anything yet.
    if (view.confState !== status.confState) view.leaderSinceUs = this.#world.nowUs;
    view.confState = status.confState;
    view.term = status.term;
  }

  #view(instance: Instance): View {
    return must(this.#views.get(instance), 'an instance is checked before it has started');
  }
}

/**
 * What a restarted member still has to commit: a step may commit it and compact it away at once.
 */
function uncommittedEntries(image: DiskImage, commit: number): Map<number, Entry> {
  const entries = new Map<number, Entry>();
  for (let index = commit + 1; index <= image.lastIndex; index++) {
    const entry = image.entry(index);
    if (entry !== null) entries.set(index, entry);
  }
  return entries;
}
