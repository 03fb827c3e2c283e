import type { EtcdError } from '../../api/error.ts';
import { encodeStreamError } from '../../api/error-body.ts';

/** How a stream's frames are written into the body of an HTTP answer. */
export interface Format {
  readonly contentType: string;
  /** What the body begins with. */
  readonly preamble: string;
  frame(json: string, message: unknown): string;
  /** What the body ends with after an error. */
  error(error: EtcdError): string;
  /** Says nothing, and shows whether the client is still there. */
  readonly blank: string;
}

/** The gateway's own: a line for each answer, and the error as the last one, without a newline. */
export const jsonLines: Format = {
  contentType: 'application/json',
  preamble: '',
  frame: (json) => `{"result":${json}}\n`,
  error: (error) => encodeStreamError(error).body,
  // White space between two JSON texts.
  blank: '\n',
};
