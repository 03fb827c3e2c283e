import type { Message } from '@bufbuild/protobuf';
import { ERRORS, EtcdError } from '../api/error.ts';
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
  throw replyTooLarge(json.length);
}

/** The same of an answer in bytes. @throws EtcdError */
export function checkReplyBytes({ length }: Uint8Array): void {
  if (length > limits.replyCharsMax) throw replyTooLarge(length);
}

function replyTooLarge(length: number): EtcdError {
  const [code, text] = ERRORS.replyTooLarge;
  return new EtcdError(code, `${text} (${length} vs. ${limits.replyCharsMax}): use a limit`);
}
