import { onTestFinished } from "vitest";
import { type IngestReport, ingest } from "../../src/ingest/ingest.ts";
import { createReader } from "../../src/ingest/reader.ts";
import { watch } from "../../src/ingest/watch.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { TokenCounter } from "../../src/ports/token-counter.ts";
import { memoryIndex, recordingEmbedder } from "./fakes.ts";

const OPTIONS = {
  scope: { tenant: "t", collection: "c", groups: [] },
  prune: false,
  chunk: { targetTokens: 64, overlapTokens: 0 },
} as const;

function stagesOf(index: PassageIndex) {
  const counter: TokenCounter = { name: "characters", count: (text) => text.length };
  return { index, embedder: recordingEmbedder().embedder, counter };
}

/** Indexes a folder once. */
export async function indexInto({ index }: ReturnType<typeof memoryIndex>, path: string): Promise<void> {
  await ingest([path], stagesOf(index), { ...OPTIONS, signal: new AbortController().signal });
}

/** Watches until the running test ends; resolves after the first run. */
export function watching(...paths: readonly string[]) {
  return watchingInto(memoryIndex(), ...paths);
}

export async function watchingInto({ index, documents }: ReturnType<typeof memoryIndex>, ...paths: readonly string[]) {
  const deleted: string[] = [];
  const reports: IngestReport[] = [];
  const thrown: unknown[] = [];
  const stop = new AbortController();
  const first = Promise.withResolvers<void>();
  const reader = createReader();
  const run = watch(
    paths,
    {
      ...stagesOf({
        ...index,
        delete(scope, id, options) {
          deleted.push(id);
          return index.delete(scope, id, options);
        },
      }),
      reader,
    },
    {
      ...OPTIONS,
      signal: stop.signal,
      onReport: (report) => {
        reports.push(report);
        first.resolve();
      },
      onFailure: (failure) => thrown.push(failure),
    },
  );
  onTestFinished(async () => {
    stop.abort();
    await run;
    reader.close();
  });
  await first.promise;
  return {
    /** Everything that was ever deleted. */
    deleted,
    ids: () => [...documents.keys()].sort(),
    text: (id: string) =>
      documents
        .get(id)
        ?.stored.map(({ text }) => text)
        .join("\n"),
    /** What was reported of files, by reason. */
    failures: () => reports.flatMap(({ failures }) => failures),
    /** What was said otherwise. */
    said: () => thrown.map((failure) => (failure instanceof Error ? failure.message : String(failure))),
  };
}
