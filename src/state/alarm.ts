import { create } from '@bufbuild/protobuf';
import { EtcdError } from '../api/error.ts';
import {
  AlarmRequest_AlarmAction as Action,
  type AlarmMember,
  AlarmMemberSchema,
  type AlarmRequest,
  type AlarmResponse,
  AlarmResponseSchema,
  AlarmType,
} from '../api/gen/rpc_pb.ts';
import type { Journal } from './journal.ts';
import { ALL_KEYS } from './key_range.ts';
import { OverlayTable } from './overlay_table.ts';
import type { RowCodec } from './row_codec.ts';
import type { StateStore } from './store.ts';
import { isNoAlarm } from './validate.ts';

const ALARM_CODEC: RowCodec<AlarmMember> = {
  // The key says everything.
  write: () => {},
  decode: alarmOfKey,
  sizeOf: () => 64,
};

/** The alarms that are raised, each by one member (0: by an operator who named none). */
export class Alarms {
  readonly table: OverlayTable<AlarmMember>;
  readonly #journal: Journal;
  /** Asked for at every put; null when the table has changed. */
  #active: readonly AlarmMember[] | null = null;

  constructor(store: StateStore, journal: Journal) {
    this.table = new OverlayTable(store, 'alarm', ALARM_CODEC, journal);
    this.#journal = journal;
  }

  /** By member, then by kind. */
  get active(): readonly AlarmMember[] {
    this.#active ??= [...this.table.scan(ALL_KEYS)];
    return this.#active;
  }

  isRaised(alarm: AlarmType): boolean {
    return this.active.some((member) => member.alarm === alarm);
  }

  /** True when that changed something. */
  set(alarm: AlarmMember, raised: boolean): boolean {
    const key = keyOfAlarm(alarm);
    const before = this.table.get(key);
    if ((before !== null) === raised) return false;
    this.#journal.note(() => {
      this.#active = null;
    });
    this.table.set(key, raised ? alarm : null, before);
    this.#active = null;
    return true;
  }
}

/** What a corrupt cluster must not do any more: change anything that a client wrote. */
export function refuseWhenCorrupt(alarms: Alarms): void {
  if (alarms.isRaised(AlarmType.CORRUPT)) throw EtcdError.of('corrupt');
}

/** What needs space. */
export function refuseWhenFull(alarms: Alarms): void {
  if (alarms.isRaised(AlarmType.NOSPACE)) throw EtcdError.of('noSpace');
}

/** Raising is idempotent and echoed; lowering echoes only what was raised. */
export function evaluateAlarm(alarms: Alarms, request: AlarmRequest): AlarmResponse {
  const { action, memberID, alarm } = request;
  if (action === Action.GET) {
    const wanted = alarms.active.filter((one) => isNoAlarm(request) || one.alarm === alarm);
    return create(AlarmResponseSchema, { alarms: [...wanted] });
  }
  const echo: AlarmMember[] = [];
  const member = create(AlarmMemberSchema, { memberID, alarm });
  if (!isNoAlarm(request)) {
    if (action === Action.ACTIVATE) {
      alarms.set(member, true);
      echo.push(member);
    } else if (action === Action.DEACTIVATE && alarms.set(member, false)) echo.push(member);
  }
  return create(AlarmResponseSchema, { alarms: echo });
}

export function keyOfAlarm({ memberID, alarm }: AlarmMember): Uint8Array {
  const key = new Uint8Array(9);
  new DataView(key.buffer).setBigUint64(0, memberID);
  key[8] = alarm;
  return key;
}

export function alarmOfKey(key: Uint8Array): AlarmMember {
  const memberID = new DataView(key.buffer, key.byteOffset).getBigUint64(0);
  const alarm = key[8] === AlarmType.CORRUPT ? AlarmType.CORRUPT : AlarmType.NOSPACE;
  return create(AlarmMemberSchema, { memberID, alarm });
}
