import type { Message } from '@bufbuild/protobuf';
import { Code, EtcdError } from '../api/error.ts';
import { messageTooLarge } from '../api/error-body.ts';
import { marshalledSize } from '../api/size.ts';
import { limits } from '../config.ts';

/**
 * gRPC's limit on a message. Its JSON is longer than the message itself, so a short one needs no
 * look. @throws EtcdError
 */
export function checkRequestSize(request: Message, body: string): void {
  if (body.length <= limits.messageBytesMax) return;
  const size = marshalledSize(request);
  if (size > limits.messageBytesMax) throw messageTooLarge(size);
}

/** Told before the platform refuses to carry the answer. @throws EtcdError */
export function checkReplySize(json: string): void {
  if (json.length <= limits.replyCharsMax) return;
  throw new EtcdError(
    Code.resourceExhausted,
    `etcdserver: the answer is too large (${json.length} vs. ${limits.replyCharsMax}): use a limit`,
  );
}
