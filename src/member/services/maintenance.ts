import { create } from '@bufbuild/protobuf';
import { Code, EtcdError } from '../../api/error.ts';
import {
  AlarmRequest_AlarmAction,
  type AlarmResponse,
  AlarmResponseSchema,
  AlarmType,
  DefragmentResponseSchema,
  HashKVResponseSchema,
  HashResponseSchema,
  Maintenance,
  MoveLeaderResponseSchema,
  StatusResponseSchema,
} from '../../api/gen/rpc_pb.ts';
import { isNoAlarm } from '../../state/validate.ts';
import { idOfNumber, numberOfId } from '../identity.ts';
import { ETCD_VERSION } from '../version.ts';
import { downgrade } from './downgrade.ts';
import { type Route, type ServiceHost, type StreamRoute, stream, unary } from './service.ts';

/** The methods of etcd's Maintenance service that are served. */
export function maintenanceService(host: ServiceHost): Route[] {
  return [
    unary(Maintenance.method.status, async () => status(host)),
    unary(Maintenance.method.alarm, async (request, context) => {
      if (request.action === AlarmRequest_AlarmAction.GET) {
        await host.linearizable(context);
        const alarms = host.machine
          .alarms()
          .filter(({ alarm }) => request.alarm === AlarmType.NONE || alarm === request.alarm);
        return create(AlarmResponseSchema, { header: host.header(host.machine.revision), alarms });
      }
      if (isNoAlarm(request)) {
        throw new EtcdError(Code.invalidArgument, 'etcdserver: no alarm type given');
      }
      const result = await host.propose({ case: 'alarm', value: request }, context);
      const response = result.response as AlarmResponse;
      response.header = host.header(result.revision);
      return response;
    }),
    // Of this member alone, as in etcd: it is asked of each one to compare them.
    unary(Maintenance.method.hashKV, async (request) => {
      const revision = Number(request.revision);
      const { hash, compactRevision, hashRevision } = await host.upkeep.hashKeys(revision);
      return create(HashKVResponseSchema, {
        header: host.header(host.machine.revision),
        hash,
        compactRevision: BigInt(compactRevision),
        hashRevision: BigInt(hashRevision),
      });
    }),
    unary(Maintenance.method.hash, async () => {
      const hash = await host.upkeep.hashTables();
      return create(HashResponseSchema, { header: host.header(host.machine.revision), hash });
    }),
    // Without a header, as etcd's.
    unary(Maintenance.method.defragment, async () => {
      await host.upkeep.defragment();
      return create(DefragmentResponseSchema);
    }),
    unary(Maintenance.method.downgrade, (request, context) => downgrade(host, request, context)),
    unary(Maintenance.method.moveLeader, async (request) => {
      const { raft } = host.node.status;
      if (raft.role !== 'leader') throw EtcdError.of('notLeader');
      const target = idOfNumber(request.targetID);
      if (!raft.confState.voters.includes(target)) throw EtcdError.of('badLeaderTransferee');
      await host.transferLeadership(target);
      return create(MoveLeaderResponseSchema, { header: host.header(host.machine.revision) });
    }),
  ];
}

/** A copy of the state of the member that is asked. */
export function maintenanceStreams(host: ServiceHost): StreamRoute[] {
  return [
    stream(Maintenance.method.snapshot, (sink) => {
      const snapshot = host.upkeep.openSnapshot(sink);
      let asked = false;
      return {
        receive: () => {
          if (!asked) snapshot.pump();
          asked = true;
        },
        // An empty body is a request too: it has no fields.
        halfClosed: () => {
          if (!asked) snapshot.pump();
          asked = true;
        },
        closed: () => snapshot.close(),
      };
    }),
  ];
}

function status(host: ServiceHost) {
  const { raft } = host.node.status;
  const { dbSizeBytes, dbSizeInUseBytes } = host.machine.status;
  const errors = host.machine.alarms().map(({ memberID, alarm }) => {
    const member = memberID === 0n ? '' : `memberID:${memberID} `;
    return `${member}alarm:${AlarmType[alarm]} `;
  });
  if (raft.leader === null) errors.push('etcdserver: no leader');
  return create(StatusResponseSchema, {
    header: host.header(host.machine.revision),
    version: ETCD_VERSION,
    dbSize: BigInt(dbSizeBytes),
    dbSizeInUse: BigInt(dbSizeInUseBytes),
    leader: raft.leader === null ? 0n : numberOfId(raft.leader),
    raftIndex: BigInt(raft.commit),
    raftTerm: BigInt(raft.term),
    raftAppliedIndex: BigInt(host.machine.appliedIndex),
    errors,
    isLearner: host.belonging.isLearner,
  });
}
