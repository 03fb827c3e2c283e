import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { must } from '../../src/lib/assert.ts';
import { memberUrl } from '../../src/local/bindings.ts';
import { sendSignal } from '../../src/local/process.ts';
import {
  call,
  changeMembers,
  currentRevision,
  hashAgreement,
  leaderAmong,
  leaderOf,
} from './client.ts';
import {
  eventually,
  freeFirstPort,
  type RunningCluster,
  type StartedCommand,
  Workshop,
} from './cluster.ts';
import { freePorts } from './real_etcd.ts';
import { checkHistory, runWriters } from './writers.ts';

interface Member {
  readonly ID: string;
  readonly name?: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner?: boolean;
}

async function members(url: string): Promise<Member[]> {
  const { members: all } = await call(url, '/v3/cluster/member/list', { linearizable: true });
  return all as Member[];
}

/** A member that has joined is told of without a name until it has caught up, as in etcd. */
async function idOf(url: string, name: string): Promise<string> {
  let id: string | undefined;
  await eventually(`${name} is a member`, 20_000, async () => {
    id = (await members(url)).find((each) => each.name === name)?.ID;
    return id !== undefined;
  });
  return must(id, `${name} is a member`);
}

/** The leader. One that is to stay hands over first, if it is the one. */
async function leaderToGo(urls: readonly string[], staying: string): Promise<Member> {
  let leaving: Member | undefined;
  await eventually('another one leads', 30_000, async () => {
    const leads = must(urls[await leaderAmong(urls)], 'a leader');
    if (leads !== staying) {
      const all = await members(leads).catch(() => []);
      leaving = all.find(({ clientURLs }) => clientURLs.includes(leads));
      return leaving !== undefined;
    }
    const { memberId } = await leaderOf(must(urls[0], 'another one'));
    const asked = call(leads, '/v3/maintenance/transfer-leadership', { targetID: memberId });
    await asked.catch(() => undefined);
    return false;
  });
  return must(leaving, 'the leader is a member');
}

describe('members of a local cluster come and go', () => {
  const workshop = new Workshop();
  let port = 0;
  let dataDir = '';

  beforeEach(async () => {
    port = await freeFirstPort();
    dataDir = workshop.dataDir();
  });
  afterEach(() => workshop.clear());

  /** `npm start -- member`, until it is ready. */
  async function joinAs(name: string, at: number, from: RunningCluster, ...flags: string[]) {
    const place = ['--data-dir', workshop.dataDir(), '--secret-from', from.dataDir];
    const url = must(from.endpoints[0], 'an endpoint');
    const who = ['member', '--join', url, '--name', name, '--port', String(at)];
    const command = await joining([...who, ...place, ...flags]);
    await command.waitFor(/is ready/, 40_000);
    return { command, url: memberUrl(at), place };
  }

  /** Until it is added: a leader that has not heard the others for a moment refuses it. */
  async function joining(flags: readonly string[]): Promise<StartedCommand> {
    const lastMs = performance.now() + 30_000;
    for (;;) {
      const command = workshop.run(flags);
      try {
        // Where the answer was lost, the next attempt finds it added.
        await command.waitFor(/is added to the cluster|was added before/, 30_000);
        return command;
      } catch (error) {
        if (command.running || performance.now() > lastMs) throw error;
        await command.exited;
        if (!/unhealthy cluster|no leader|timed out/.test(command.output)) throw error;
        await sleep(500);
      }
    }
  }

  test('one is added as a learner and promoted, the leader is removed, all under load', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const [first = ''] = cluster.endpoints;
    const before = await currentRevision(first);
    let finished = false;
    onTestFinished(() => {
      finished = true;
    });
    const writing = runWriters({
      endpoints: cluster.endpoints,
      prefix: 'promoted/',
      clients: 8,
      puts: 500,
      enough: () => finished,
    });
    const [newPort = 0] = await freePorts(2, 27_440);
    const fourth = await joinAs('m4', newPort, cluster, '--learner');
    await fourth.command.waitFor(/m4 is a learner/, 15_000);
    const [, killed = 'm2'] = cluster.names;
    const learnerId = await idOf(first, 'm4');
    await Promise.all([
      cluster.killAndAwaitReturn(killed),
      changeMembers(first, 'promote', { ID: learnerId }),
    ]);
    const urls = [...cluster.endpoints, fourth.url];
    const leaving = await leaderToGo(urls, fourth.url);
    await changeMembers(first, 'remove', { ID: leaving.ID });
    await sleep(1_000);
    finished = true;
    const history = await writing;

    const left = urls.filter((url) => !leaving.clientURLs.includes(url));
    expect(left).toHaveLength(3);
    let revision = 0;
    for (const url of left) revision = await checkHistory(url, history, before);
    await hashAgreement(left, revision);
    const gone = must(leaving.peerURLs[0], 'a member has a URL');
    // It may have to ask the others first.
    await eventually('it knows that it was removed', 20_000, () =>
      call(gone, '/v3/kv/range', { key: 'YQ==' }).then(
        () => false,
        (error) => /permanently removed from the cluster/.test(String(error)),
      ),
    );

    // The whole cluster is started again, with the members that it has now.
    await Promise.all([cluster.stop(), fourth.command.stop()]);
    const again = await workshop.launch({ dataDir, port });
    const back = workshop.run(['member', ...fourth.place]);
    await back.waitFor(/is ready/, 40_000);
    expect((await members(fourth.url)).map(({ name }) => name)).not.toContain(leaving.name);
    for (const url of left) expect(await checkHistory(url, history, before)).toBe(revision);
    await eventually('the supervisor knows who is gone', 15_000, () =>
      again.output.includes(`${leaving.name} was removed from the cluster`),
    );
  });

  test('one that lost its data is removed, added again, and comes back by itself', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const [first = '', , third = ''] = cluster.endpoints;
    const before = await currentRevision(first);
    let replaced = false;
    onTestFinished(() => {
      replaced = true;
    });
    const writing = runWriters({
      endpoints: cluster.endpoints.slice(0, 2),
      prefix: 'replaced/',
      clients: 8,
      puts: 300,
      enough: () => replaced,
    });
    const oldId = await idOf(first, 'm3');
    const { peerURLs } = must(
      (await members(first)).find(({ ID }) => ID === oldId),
      'm3 is a member',
    );
    rmSync(join(dataDir, 'm3'), { recursive: true });
    cluster.killMember('m3');
    await cluster.waitFor(/m3 does not serve: .*has lost its data/, 40_000);
    await changeMembers(first, 'remove', { ID: oldId });
    await changeMembers(first, 'add', { peerURLs });
    await eventually('m3 serves again', 40_000, async () => {
      return call(third, '/v3/kv/range', { key: 'YQ==' }).then(
        () => true,
        () => false,
      );
    });
    replaced = true;
    const history = await writing;
    expect(await idOf(first, 'm3')).not.toBe(oldId);
    let revision = 0;
    for (const url of cluster.endpoints) revision = await checkHistory(url, history, before);
    await hashAgreement(cluster.endpoints, revision);
  });

  test('a member joins while others are killed, and is killed itself while it joins', async () => {
    const cluster = await workshop.launch({ dataDir, port });
    const [first = ''] = cluster.endpoints;
    const before = await currentRevision(first);
    let joined = false;
    onTestFinished(() => {
      joined = true;
    });
    const writing = runWriters({
      endpoints: cluster.endpoints,
      prefix: 'joined/',
      clients: 8,
      puts: 300,
      enough: () => joined,
    });
    const [newPort = 0] = await freePorts(2, 27_440);
    const place = ['--data-dir', workshop.dataDir(), '--secret-from', dataDir];
    const who = ['member', '--join', first, '--name', 'm4', '--port', String(newPort)];
    await joining([...who, ...place]);
    const pidFile = join(must(place[1], 'a directory'), 'm4.pid');
    await killWhenThere(pidFile);
    await cluster.killAndAwaitReturn('m3');
    const url = memberUrl(newPort);
    await eventually('m4 serves', 40_000, async () => {
      return call(url, '/v3/kv/range', { key: 'YQ==' }).then(
        () => true,
        () => false,
      );
    });
    joined = true;
    const history = await writing;
    const all = [...cluster.endpoints, url];
    let revision = 0;
    for (const each of all) revision = await checkHistory(each, history, before);
    await hashAgreement(all, revision);
    expect((await members(url)).map(({ name }) => name).sort()).toEqual(['m1', 'm2', 'm3', 'm4']);
  });
});

/** Ends a process as soon as its file says which it is. */
async function killWhenThere(pidFile: string): Promise<void> {
  await eventually(`a process in ${pidFile}`, 20_000, () => {
    if (!existsSync(pidFile)) return false;
    sendSignal(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL');
    return true;
  });
}
