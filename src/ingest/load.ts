import { basename, extname } from "node:path";
import { refusalOf, type SourceDocument } from "./document.ts";
import { codeOf, type Found, findFiles, type LoadFailure, type SourceFile } from "./files.ts";
import { readLines } from "./lines.ts";
import { tooLarge } from "./read.ts";
import { createReader, type DocumentReader } from "./reader.ts";

export type { Block, DocumentInput, Format, SourceDocument } from "./document.ts";
export { readDocument } from "./document.ts";
export type { LoadFailure } from "./files.ts";

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** Absent: one for this call. */
  readonly reader?: DocumentReader;
  /** Default 50 MB. JSONL files have no limit but that of a line. */
  readonly fileBytesMax?: number;
  /** Default 10 MB. */
  readonly lineBytesMax?: number;
}

export type LoadResult =
  | {
      readonly document: SourceDocument;
      /** The file it came from. */
      readonly path: string;
      /** Of a JSONL file, from 1. */
      readonly line?: number;
      /** Of the file or line. */
      readonly bytes: number;
    }
  | { readonly failure: LoadFailure; readonly bytes: number };

const MB = 1_000_000;

/**
 * Reads the documents that the sources (files, folders, globs) name, one file and one JSONL line at a time. What cannot
 * be read is reported in its place, and the rest goes on.
 * @throws the signal's reason when it aborts.
 */
export async function* loadDocuments(sources: readonly string[], options: LoadOptions): AsyncGenerator<LoadResult> {
  const reader = options.reader ?? createReader();
  try {
    for await (const found of findFiles(sources)) yield* loadFound(found, { ...options, reader });
  } finally {
    if (!options.reader) reader.close();
  }
}

/** What one file holds. */
export async function* loadFound(
  found: Found,
  options: LoadOptions & { readonly reader: DocumentReader },
): AsyncGenerator<LoadResult> {
  const { signal, reader, fileBytesMax = 50 * MB, lineBytesMax = 10 * MB } = options;
  signal.throwIfAborted();
  if ("failure" in found) yield { failure: found.failure, bytes: 0 };
  else if (found.file.format === "jsonl") yield* loadLines(found.file, lineBytesMax, reader, signal);
  else yield await loadFile(found.file, fileBytesMax, reader, signal);
}

async function loadFile(
  file: SourceFile,
  bytesMax: number,
  reader: DocumentReader,
  signal: AbortSignal,
): Promise<LoadResult> {
  const { path, id, format, bytes } = file;
  try {
    if (format === "jsonl") throw new TypeError("JSONL is read by line");
    const fallbackTitle = basename(path, extname(path)).normalize("NFC");
    const document = await reader.read(
      { fields: { id }, fallbackTitle, format, content: { path, size: bytes, bytesMax } },
      signal,
    );
    return { document, path, bytes };
  } catch (thrown) {
    signal.throwIfAborted();
    const { refused: reason, ...others } = refusalOf(thrown);
    return { failure: { path, documentId: id, reason, ...others }, bytes };
  }
}

async function* loadLines(
  file: SourceFile,
  lineBytesMax: number,
  reader: DocumentReader,
  signal: AbortSignal,
): AsyncGenerator<LoadResult> {
  try {
    for await (const { number, bytes, size } of readLines(file.path, lineBytesMax, signal)) {
      if (bytes === null) {
        yield { failure: { path: `${file.path}:${number}`, reason: tooLarge(lineBytesMax).message }, bytes: size };
      } else {
        const row = await reader.readRow(bytes, signal);
        if ("document" in row) yield { document: row.document, path: file.path, line: number, bytes: size };
        else if ("refused" in row) {
          const { refused: reason, ...others } = row;
          yield { failure: { path: `${file.path}:${number}`, reason, ...others }, bytes: size };
        }
      }
    }
  } catch (thrown) {
    signal.throwIfAborted();
    yield { failure: { path: file.path, reason: `cannot be read (${codeOf(thrown)})` }, bytes: 0 };
  }
}
