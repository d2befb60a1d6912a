import { createGrpcEmbedders } from "../../src/adapters/embedder/grpc.ts";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { createStaticEmbedder } from "../../src/adapters/embedder/static.ts";
import { createExtractiveModel } from "../../src/adapters/language-model/extractive.ts";
import { createGrpcLanguageModels } from "../../src/adapters/language-model/grpc.ts";
import { createOpenAiLanguageModel } from "../../src/adapters/language-model/openai.ts";
import { createGrpcIndexes } from "../../src/adapters/passage-index/grpc.ts";
import { createGrpcRerankers } from "../../src/adapters/reranker/grpc.ts";
import { createLexicalReranker } from "../../src/adapters/reranker/lexical.ts";
import { composeStage } from "../../src/compose/stage.ts";
import { parseConfig } from "../../src/config.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { LanguageModel } from "../../src/ports/language-model.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { call } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { clientOptions, only, serveOnLoopback } from "../support/stages-apart.ts";
import { streaming, stubModel, wholeStream } from "../support/stub-model.ts";
import { embedderContract } from "./embedder.ts";
import { fusionStoreContract } from "./fusion-store.ts";
import { languageModelContract } from "./language-model.ts";
import { MODEL, type OpenedPassageIndex, passageIndexContract } from "./passage-index.ts";
import { passageIndexWritesContract } from "./passage-index-writes.ts";
import { DIMENSIONS } from "./passages.ts";
import { rerankerContract } from "./reranker.ts";

const EMBEDDERS: readonly (readonly [string, () => Embedder])[] = [
  ["static", createStaticEmbedder],
  ["hashing", () => createHashingEmbedder({ dimensions: 256 })],
];
for (const [name, create] of EMBEDDERS) {
  embedderContract(`grpc: ${name}`, async () => {
    let calls = 0;
    const served = create();
    const counted = withMethods(served, {
      embed: (...args) => {
        calls++;
        return served.embed(...args);
      },
    });
    const server = await serveOnLoopback({ stage: "embed", port: counted });
    const embedder = only(await createGrpcEmbedders(clientOptions("embed", [server.address])));
    await embedder.warm?.(call());
    return {
      embedder,
      calls: () => calls,
      async close() {
        await embedder.close?.();
        await server.close();
      },
    };
  });
}

rerankerContract("grpc: lexical", async () => {
  let calls = 0;
  const lexical = createLexicalReranker();
  const counted = withMethods(lexical, {
    rerank: (...args) => {
      calls++;
      return lexical.rerank(...args);
    },
  });
  const server = await serveOnLoopback({ stage: "rerank", port: counted });
  const reranker = only(await createGrpcRerankers(clientOptions("rerank", [server.address])));
  return {
    reranker,
    calls: () => calls,
    async close() {
      await reranker.close?.();
      await server.close();
    },
  };
});

async function apart(port: LanguageModel, close: () => Promise<void> = async () => undefined) {
  const server = await serveOnLoopback({ stage: "generate", port });
  const model = only(await createGrpcLanguageModels(clientOptions("generate", [server.address])));
  await model.warm?.(call());
  return {
    model,
    async close() {
      await model.close?.();
      await server.close();
      await close();
    },
  };
}

languageModelContract("grpc: extractive", () =>
  apart(createExtractiveModel({ sentencesMax: 4, embedder: createStaticEmbedder() })),
);
languageModelContract("grpc: openai", async () => {
  const upstream = await stubModel(streaming(wholeStream(["연차는 ", "15일", "입니다 ", "🏝️", " [1]."])));
  const settings = { model: "qwen3-8b", contextTokensMax: 8192, temperature: 0 };
  return apart(createOpenAiLanguageModel({ baseUrl: upstream.url, ...settings }), () => upstream.close());
});

/** A search stage as it is configured, and clients of it, each in a vector space of its own. */
async function openSearchStage() {
  const folder = temporaryFolder();
  const stage = await composeStage(parseConfig({ search: { file: folder.file("index.db") } }, {}), "search");
  const server = await serveOnLoopback(stage);
  const connect = async (model = MODEL, dimensions = DIMENSIONS): Promise<PassageIndex> =>
    only(await createGrpcIndexes(clientOptions("search", [server.address]), { model, dimensions }));
  return {
    connect,
    async close() {
      await server.close();
      await stage.close();
      folder.remove();
    },
  };
}

async function openGrpcIndex(): Promise<OpenedPassageIndex> {
  const stage = await openSearchStage();
  const index = await stage.connect();
  return {
    index,
    async another(model, dimensions) {
      const other = await stage.connect(model, dimensions);
      return { index: other, close: async () => other.close?.() };
    },
    async close() {
      await index.close?.();
      await stage.close();
    },
  };
}

passageIndexContract("grpc: sqlite", openGrpcIndex);
passageIndexWritesContract("grpc: sqlite", openGrpcIndex);
fusionStoreContract("grpc: sqlite", async () => {
  const stage = await openSearchStage();
  const [index, elsewhere] = [await stage.connect("test"), await stage.connect("test")];
  return {
    index,
    elsewhere,
    async close() {
      await index.close?.();
      await elsewhere.close?.();
      await stage.close();
    },
  };
});
