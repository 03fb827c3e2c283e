import { connectionLost } from './error.ts';

/** Servers send a blank line when they have had nothing to say for 5 seconds. */
const SILENCE_MS_MAX = 20_000;

/** A line is a response, and those have a bound: what is longer comes from something else. */
const LINE_CHARS_MAX = 64 * 1024 * 1024;

/** The lines of a body that are not blank, the last one even without its end. @throws EtcdError */
export async function* readLines(
  body: ReadableStream<Uint8Array>,
): AsyncGenerator<string, void, void> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  // Pieces of a line, joined once it is whole: a long one comes in many.
  let pieces: string[] = [];
  let chars = 0;
  try {
    for (;;) {
      const { done, value } = await orSilence(reader.read());
      if (done) break;
      const lines = decoder.decode(value, { stream: true }).split('\n');
      for (let i = 0; i < lines.length; i++) {
        const piece = lines[i] ?? '';
        pieces.push(piece);
        chars += piece.length;
        if (chars > LINE_CHARS_MAX) throw connectionLost(true, new Error('a line has no end'));
        if (i === lines.length - 1) break;
        const line = pieces.join('');
        pieces = [];
        chars = 0;
        if (line.trim() !== '') yield line;
      }
    }
    const rest = pieces.join('');
    if (rest.trim() !== '') yield rest;
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** The next chunk; none for too long is a connection that is dead and does not know it. */
async function orSilence<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    const error = connectionLost(true, new Error('the server fell silent'));
    timer = setTimeout(() => reject(error), SILENCE_MS_MAX);
  });
  try {
    return await Promise.race([read, silence]);
  } finally {
    clearTimeout(timer);
  }
}
