import { V2Method } from '../../api/gen/command_pb.ts';
import type { ApplyResult } from '../../state/result.ts';

const NAMES = ['gets', 'sets', 'delete', 'update', 'create', 'compareAndSwap', 'compareAndDelete'];

/** What this member has done to its v2 store since it started: etcd's /v2/stats/store. */
export class StoreStats {
  readonly #counts = new Map<string, number>();

  /** A read of a client. */
  get(ok: boolean): void {
    this.#add('gets', ok);
  }

  /** A command, whoever gave it: all members carry out all of them. */
  applied({ command: { request }, error, v2Changes }: ApplyResult): void {
    if (request.case === 'v2Expire') this.#count('expireCount', v2Changes?.length ?? 0);
    if (request.case !== 'v2Change') return;
    const { method, prevExist, prevIndex, prevValue } = request.value;
    const compares = prevIndex > 0n || prevValue !== '';
    const ok = error === null;
    if (method === V2Method.DELETE) this.#add(compares ? 'compareAndDelete' : 'delete', ok);
    else if (method === V2Method.POST || prevExist === false) this.#add('create', ok);
    else if (compares) this.#add('compareAndSwap', ok);
    else this.#add(prevExist === true ? 'update' : 'sets', ok);
  }

  encode(watchers: number): string {
    const shown: Record<string, number> = {};
    for (const name of NAMES) {
      for (const outcome of ['Success', 'Fail']) {
        shown[name + outcome] = this.#counts.get(name + outcome) ?? 0;
      }
    }
    const expireCount = this.#counts.get('expireCount') ?? 0;
    return JSON.stringify({ ...shown, expireCount, watchers });
  }

  #add(name: string, ok: boolean): void {
    this.#count(name + (ok ? 'Success' : 'Fail'), 1);
  }

  #count(name: string, by: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }
}
