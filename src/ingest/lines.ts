import { createReadStream } from "node:fs";

/** One line of a file; `bytes` is null where the line is longer than allowed. `size` counts the line end. */
export interface Line {
  /** From 1. */
  readonly number: number;
  readonly bytes: Buffer | null;
  readonly size: number;
}

const LINE_END = 0x0a;

/** The lines of a file, one at a time: holds one line of at most `lineBytesMax` bytes, whatever the file's size. */
export async function* readLines(path: string, lineBytesMax: number, signal: AbortSignal): AsyncGenerator<Line> {
  let parts: Buffer[] = [];
  let size = 0;
  let number = 0;
  const line = (ended: 0 | 1): Line => {
    const bytes = size <= lineBytesMax ? Buffer.concat(parts) : null;
    const read = { number: ++number, bytes, size: size + ended };
    parts = [];
    size = 0;
    return read;
  };
  const add = (part: Buffer): void => {
    size += part.length;
    if (size <= lineBytesMax) parts.push(part);
    else parts = [];
  };
  for await (const chunk of asUtf8(createReadStream(path, { signal }))) {
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end !== -1; end = chunk.indexOf(LINE_END, start)) {
      add(chunk.subarray(start, end));
      start = end + 1;
      yield line(1);
    }
    add(chunk.subarray(start));
  }
  if (size > 0) yield line(0);
}

/** UTF-16 with its mark, as Windows writes it, in UTF-8, whose line ends are single bytes; anything else as it is. */
async function* asUtf8(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let decoder: InstanceType<typeof TextDecoder> | null = null;
  let isFirst = true;
  for await (const chunk of chunks) {
    if (isFirst && chunk.length > 1) decoder = utf16DecoderOf(chunk.readUInt16BE(0));
    isFirst = false;
    yield decoder ? Buffer.from(decoder.decode(chunk, { stream: true })) : chunk;
  }
  decoder?.decode();
}

function utf16DecoderOf(mark: number): InstanceType<typeof TextDecoder> | null {
  if (mark === 0xfffe) return new TextDecoder("utf-16le", { fatal: true });
  return mark === 0xfeff ? new TextDecoder("utf-16be", { fatal: true }) : null;
}
