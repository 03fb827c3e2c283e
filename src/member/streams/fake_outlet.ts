import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { EtcdError } from '../../api/error.ts';
import { encodeJson } from '../../api/json.ts';
import type { Outlet } from './outlet.ts';

/** An outlet for tests that notes what it is told, and buffers as much as the test says. */
export class FakeOutlet implements Outlet {
  readonly told: string[] = [];
  bufferedBytes = 0;
  readonly waiting: (() => void)[] = [];
  /** What the transport does when it cuts off: it tells the stream. */
  onCutOff: () => void = () => {};

  send<O extends DescMessage>(output: O, message: MessageShape<O>): number {
    const json = encodeJson(output, message);
    this.told.push(json);
    return json.length;
  }

  malformed(error: EtcdError): void {
    this.told.push(`malformed ${error.code} ${error.message}`);
  }

  end(error: EtcdError | null): void {
    this.told.push(error === null ? 'end' : `end ${error.code} ${error.message}`);
  }

  cutOff(): void {
    this.told.push('cut off');
    this.onCutOff();
  }

  drained(callback: () => void): void {
    this.waiting.push(callback);
  }

  drain(): void {
    this.bufferedBytes = 0;
    for (const callback of this.waiting.splice(0)) callback();
  }
}
