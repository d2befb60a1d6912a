import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { composeStage } from "../../src/compose/stage.ts";
import { compose } from "../../src/compose.ts";
import { type Config, parseConfig } from "../../src/config.ts";
import { RaglineError } from "../../src/errors.ts";
import { type Compared, extract } from "../../src/extract/extract.ts";
import { record } from "../../src/extract/record.ts";
import { createRagline } from "../../src/index.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { temporaryFolder } from "../support/folder.ts";
import { addPages } from "../support/ragline.ts";
import { serveOnLoopback } from "../support/stages-apart.ts";

const QUESTIONS = ["연차 휴가는 며칠인가요?", "How many characters must a password have?"];

let folder: ReturnType<typeof temporaryFolder>;
let config: Config;
const toClose: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  folder = temporaryFolder();
  const file = folder.file("ragline.db");
  config = parseConfig({ search: { file }, embed: { use: "hashing" }, generate: { use: "extractive" } }, {});
  const ragline = await createRagline(config, { warm: false });
  await addPages(ragline);
  await ragline.close();
});
afterAll(async () => {
  for (const close of toClose.toReversed()) await close();
  folder.remove();
});

async function serve(served: Parameters<typeof serveOnLoopback>[0]): Promise<string> {
  const server = await serveOnLoopback(served);
  toClose.push(() => server.close());
  return server.address;
}

const run = (stage: "embed" | "rerank" | "generate" | "search", address: string): Promise<Compared[]> =>
  extract(config, QUESTIONS, { stage, remote: { endpoints: [address] }, signal: new AbortController().signal });

describe("ragline extract", () => {
  test.each(["embed", "rerank", "generate", "search"] as const)("%s: the same stage apart agrees", async (stage) => {
    const opened = await composeStage(config, stage);
    toClose.push(() => opened.close());
    const all = await run(stage, await serve(opened));
    expect(all.map(({ question }) => question)).toEqual(QUESTIONS);
    for (const { difference, here, apart } of all) {
      expect(difference).toBeNull();
      expect(here.length).toBeGreaterThan(0);
      expect(apart.map(({ exact }) => exact)).toEqual(here.map(({ exact }) => exact));
      for (const { bytes, ms } of apart) {
        expect(bytes).toBeGreaterThan(20);
        expect(ms).toBeGreaterThan(0);
      }
    }
    expect(JSON.stringify(all[0]?.apart)).toContain(
      { embed: "hashing", rerank: "lexical", generate: "15일", search: "휴가.md#" }[stage],
    );
  });

  test("a vector that is off by 1e-4, another order and another model are differences", async () => {
    const hashing = createHashingEmbedder({ dimensions: 384 });
    const off = withMethods(hashing, {
      embed: async (...args) => {
        const vectors = await hashing.embed(...args);
        return vectors.map((vector) => vector.map((value, i) => (i === 7 ? value + 1e-4 : value)));
      },
    });
    const lexical = createLexicalReranker();
    const backwards = withMethods(lexical, {
      rerank: async (...args) => {
        const ranked = await lexical.rerank(...args);
        return ranked.map(({ score }, i) => ({ index: ranked.length - 1 - i, score: score - i }));
      },
    });
    const differences = [
      await run("embed", await serve({ stage: "embed", port: off })),
      await run("embed", await serve({ stage: "embed", port: createHashingEmbedder({ dimensions: 128 }) })),
      await run("rerank", await serve({ stage: "rerank", port: backwards })),
    ].map((all) => all.map(({ difference }) => difference ?? "none"));
    expect(differences[0]?.every((one) => one.startsWith("numbers differ by up to 0.000100"))).toBe(true);
    expect(differences[1]?.[0]).toContain("hashing/128");
    expect(differences[2]?.some((one) => one !== "none")).toBe(true);
  });

  test("a question that cannot be answered here ends it with an error of the table", async () => {
    const { stages, close } = await compose(config);
    toClose.push(close);
    const index = withMethods(stages.index, {
      search: () => Promise.reject(new RaglineError("dependency_failed", "The disk is gone.", { step: "search" })),
    });
    const limits = { signal: new AbortController().signal, timeoutMs: 5_000 };
    const scope = { tenant: config.tenant, collection: config.collection, groups: [] };
    await expect(record({ ...stages, index }, scope, "연차?", limits)).rejects.toMatchObject({
      code: "dependency_failed",
      message: expect.stringMatching(/^연차\?: /),
    });
  });

  test("a stage that is not there is an error, not a difference", async () => {
    await expect(run("embed", "127.0.0.1:1")).rejects.toMatchObject({ code: "dependency_failed" });
  });
});
