import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { type Chunk, chunk } from "../../src/ingest/chunk.ts";
import { loadDocuments } from "../../src/ingest/load.ts";
import { cpuMs } from "../support/cpu.ts";

const SHARED = process.env.RAGLINE_SHARED ?? join(import.meta.dirname, "../../../shared");
const LAW = join(SHARED, "data/law_ko/corpus.jsonl");
const PAGES = join(SHARED, "data/docs_fastapi/pages_ko");
const options = { targetTokens: 256, overlapTokens: 32 };

async function run(source: string) {
  const counter = await createO200kCounter();
  const chunks: Chunk[] = [];
  const failures: string[] = [];
  const startedAt = cpuMs();
  let documents = 0;
  for await (const result of loadDocuments([source], { signal: new AbortController().signal })) {
    if ("failure" in result) failures.push(`${result.failure.path} ${result.failure.reason}`);
    else {
      documents++;
      chunks.push(...chunk(result.document.blocks, options, counter));
    }
  }
  return { documents, chunks, failures, elapsedMs: cpuMs() - startedAt };
}

test.skipIf(!existsSync(LAW))("4,063 Korean law articles in under 5 s (needs the shared data)", async () => {
  const { documents, chunks, failures, elapsedMs } = await run(LAW);
  expect(failures).toEqual([]);
  expect(documents).toBe(4_063);
  expect(chunks.length).toBeGreaterThan(5_000);
  expect(chunks.length).toBeLessThan(8_000);
  expect(Math.max(...chunks.map(({ tokens }) => tokens))).toBeLessThan(400);
  expect(elapsedMs).toBeLessThan(5_000);
});

test.skipIf(!existsSync(PAGES))("Korean documentation pages in Markdown (needs the shared data)", async () => {
  const { documents, chunks, failures } = await run(PAGES);
  expect(failures).toEqual([]);
  expect(documents).toBeGreaterThanOrEqual(120);
  expect(chunks.length).toBeGreaterThan(800);
  expect(chunks.filter(({ headings }) => headings.length > 0).length).toBeGreaterThan(chunks.length / 2);
  expect(chunks.filter(({ headings }) => headings.some((heading) => heading.includes("{")))).toEqual([]);
});
