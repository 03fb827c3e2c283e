import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { EtcdError } from '../../api/error.ts';

/** Where one stream's answers go: the transport's side of it. */
export interface Outlet {
  /** The next answer. @returns how large it is, encoded */
  send<O extends DescMessage>(output: O, message: MessageShape<O>): number;
  /** No request could be read: told in the shape of a unary method's error, as etcd does. */
  malformed(error: EtcdError): void;
  /** Ends the stream, with an error or well. */
  end(error: EtcdError | null): void;
  /** Ends the stream of a client that does not read. */
  cutOff(): void;
  readonly bufferedBytes: number;
  drained(callback: () => void): void;
  /** Called now and then, where a transport needs that to find out whether anybody is there. */
  beat?(nowMs: number): void;
}
