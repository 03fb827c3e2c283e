import type { CallContext } from '../../api/call.ts';
import { type Caller, NOBODY } from '../../api/caller.ts';
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
  readonly #stream: WatchStream;
  /** Who watches; null before the first watch. */
  #username: string | null;

  constructor(host: ServiceHost, sink: Sink, context: CallContext, saved: SavedSession | null) {
    this.#host = host;
    this.#username = saved?.username ?? null;
    const options: StreamOptions = {
      hub: host.watches,
      port: sink,
      header: (revision) => host.watchStreams.header(revision),
      revision: () => host.machine.revision,
      refuse: (key, rangeEnd) =>
        complaint(() => {
          const caller = host.caller(context);
          authorizeWatch(host, caller, key, rangeEnd);
          this.#username = caller.username;
        }),
      revoke: (key, rangeEnd) =>
        complaint(() => authorizeWatch(host, this.#watcher(), key, rangeEnd)),
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

  /**
   * The token is looked at whenever a watch is created, as in etcd. It may end while the watches go
   * on; what counts for them is what their user may do now.
   */
  #watcher(): Caller {
    if (this.#username === null) return NOBODY;
    const authRevision = BigInt(this.#host.machine.auth.revision);
    return { username: this.#username, authRevision, internal: false };
  }
}

/** etcd puts the error into the response as gRPC prints it. */
function complaint(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (!(error instanceof EtcdError)) throw error;
    return `rpc error: code = ${codeName(error.code)} desc = ${error.message}`;
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
