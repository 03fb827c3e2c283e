import type { CallContext } from '../../api/call.ts';
import type { Caller } from '../../api/caller.ts';
import { EtcdError } from '../../api/error.ts';
import { Watch, type WatchRequest, type WatchResponseSchema } from '../../api/gen/rpc_pb.ts';
import { limits } from '../../config.ts';
import { codeName } from '../../metrics/calls.ts';
import type { SavedStream } from '../../watch/saved.ts';
import { type StreamOptions, WatchStream } from '../../watch/stream.ts';
import type { OpenWatchStream } from '../watch_streams.ts';
import {
  type ServiceHost,
  type StreamRoute,
  type StreamSession,
  type StreamSink,
  stream,
} from './service.ts';

type Sink = StreamSink<typeof WatchResponseSchema>;

/** What is kept of a session while the member hibernates. */
interface SavedSession {
  readonly stream: SavedStream;
  /** null: nothing was watched yet. */
  readonly username: string | null;
}

/** etcd's Watch service. */
export function watchService(host: ServiceHost): StreamRoute {
  return stream(
    Watch.method.watch,
    (sink, context) => new WatchSession(host, sink, context, null),
    (saved, sink, context) => new WatchSession(host, sink, context, saved as SavedSession),
  );
}

/** A client's stream: whose it is, and when it is told of progress. */
class WatchSession implements StreamSession<typeof Watch.method.watch.input>, OpenWatchStream {
  readonly #host: ServiceHost;
  readonly #context: CallContext;
  readonly #stream: WatchStream;
  /** Who watches; null before the first watch. */
  #username: string | null;

  constructor(host: ServiceHost, sink: Sink, context: CallContext, saved: SavedSession | null) {
    this.#host = host;
    this.#context = context;
    this.#username = saved?.username ?? null;
    const options: StreamOptions = {
      hub: host.watches,
      port: sink,
      header: (revision) => host.watchStreams.header(revision),
      revision: () => host.machine.revision,
      refuse: (key, rangeEnd) => this.#refuse(key, rangeEnd),
      frameBytesMax: host.settings.requestBytesMax + limits.frameOverheadBytes,
    };
    this.#stream = saved ? WatchStream.resume(saved.stream, options) : new WatchStream(options);
    host.watchStreams.add(this);
    if (saved) host.watchStreams.changed(this);
  }

  receive(request: WatchRequest): void {
    this.#stream.receive(request);
    this.#host.watchStreams.changed(this);
  }

  /** The watches go on: over HTTP the client has sent all that it will. */
  halfClosed(): void {}

  closed(): void {
    this.#host.watchStreams.delete(this);
    this.#stream.close();
  }

  save(): SavedSession {
    return { stream: this.#stream.save(), username: this.#username };
  }

  get wantsProgress(): boolean {
    return this.#stream.wantsProgress;
  }

  notifyProgress(): void {
    this.#stream.notifyProgress();
  }

  recheck(): void {
    this.#stream.recheck();
    this.#host.watchStreams.changed(this);
  }

  /** etcd puts the error into the response as gRPC prints it. */
  #refuse(key: Uint8Array, rangeEnd: Uint8Array): string | null {
    try {
      const caller = this.#caller();
      authorizeWatch(this.#host, caller, key, rangeEnd);
      this.#username = caller.username;
      return null;
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return `rpc error: code = ${codeName(error.code)} desc = ${error.message}`;
    }
  }

  /**
   * A token is looked at when the first watch is created. It may end while the watches go on, as in
   * etcd; what counts from then on is what the user may do now.
   */
  #caller(): Caller {
    const { machine } = this.#host;
    if (this.#username === null) return this.#host.caller(this.#context);
    const authRevision = BigInt(machine.auth.revision);
    return { username: this.#username, authRevision, internal: false };
  }
}

/**
 * Only who may read the whole range may watch it: then every event is of a key that its reader may
 * read. Asked when a watch is created, and again whenever rights change. @throws EtcdError
 */
function authorizeWatch(
  host: ServiceHost,
  caller: Caller,
  key: Uint8Array,
  rangeEnd: Uint8Array,
): void {
  host.machine.authorizer.checkRead(caller, key, rangeEnd);
}
