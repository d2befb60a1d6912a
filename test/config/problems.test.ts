import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../src/config.ts";
import { certificates } from "../support/certificates.ts";
import { folderForTest } from "../support/folder.ts";

describe("a configuration that breaks a rule", () => {
  const cases: [unknown, string | RegExp][] = [
    [{ embed: { use: "onx" } }, /^embed\.use: "onx" is not one of static, .*; did you mean onnx\?$/],
    [{ serch: {} }, "serch: there is no such key; did you mean search?"],
    [{ server: { prot: 1 } }, "server.prot: there is no such key; did you mean port?"],
    [{ generate: { use: "openai", model: "m", tempratur: 1 } }, /^generate\.tempratur: .* did you mean temperature\?$/],
    [{ generate: { use: "openai", zzz: 1 } }, "generate.zzz: there is no such key"],
    [{ rerank: { use: "grpc", endpoints: 5 } }, "rerank.endpoints: expected array, received number"],
    [{ rerank: { use: "grpc", endpoints: ["reranker"] } }, "rerank.endpoints.0: must be host:port"],
    [{ rerank: { use: "grpc", endpoints: ["a:70000"] } }, "rerank.endpoints.0: the port must be at most 65535"],
    [
      { generate: { use: "openai", model: "m", baseUrl: 5 } },
      /^generate\.baseUrl: expected string.*, or expected array/,
    ],
    [
      { generate: { use: "openai", model: "m", baseUrl: "http://127.0.0.1:8000/v1?api_key=geheim" } },
      "generate.baseUrl: must end with its path, without `?` and `#`",
    ],
    [
      { rerank: { use: "tei", baseUrl: ["http://a/tei", "http://b/#tei"] } },
      "rerank.baseUrl.1: must end with its path, without `?` and `#`",
    ],
    [
      { embed: { use: "tei", model: "m", dimensions: 8, baseUrl: "http://kim:geheim@127.0.0.1:8080" } },
      "embed.baseUrl: must not hold a user or a password: they would not be sent",
    ],
    [
      { rerank: { use: "cohere", model: "m", baseUrl: ["http://a/v1", "https://kim@b/v1"] } },
      "rerank.baseUrl.1: must not hold a user or a password: they would not be sent",
    ],
    [
      { generate: { use: "openai", baseUrl: "localhost:11434" } },
      /^generate\.baseUrl: .*begins with http:\/\/ or https:\/\//,
    ],
    [{ embed: { use: "tei" } }, "embed.baseUrl: is missing\nembed.model: is missing\nembed.dimensions: is missing"],
    [
      { generate: { use: "openai", model: "m", apiKey: "sk-geheim\n" } },
      "generate.apiKey: must be printable ASCII, without spaces and line ends",
    ],
    [
      { rerank: { use: "cohere", model: "m", baseUrl: "http://a/v1", apiKey: "열쇠" } },
      "rerank.apiKey: must be printable ASCII, without spaces and line ends",
    ],
    [
      { embed: { use: "tei", model: "m", dimensions: 8, baseUrl: "http://a", headers: { "x key": "a", Host: "b" } } },
      "embed.headers.x key: no header can have this name\nembed.headers.Host: calls have their own",
    ],
    [
      { generate: { use: "openai", apiKey: "sk", headers: { Authorization: "Basic a" } } },
      "generate.headers.Authorization: apiKey is sent in it",
    ],
    [
      { generate: { use: "openai", headers: { "api-key": "열쇠" } } },
      "generate.headers.api-key: must be printable ASCII, without line ends",
    ],
    [
      { generate: { use: "openai", body: { model: "other", top_p: 0.8 } } },
      "generate.body.model: calls have their own, or could not be read with it",
    ],
    [
      { embed: { use: "openai", model: "m", dimensions: 8, baseUrl: "http://a", queryBody: { input: "b" } } },
      "embed.queryBody.input: calls have their own, or could not be read with it",
    ],
    [{ ingest: { chunkTokens: 100, overlapTokens: 51 } }, /^ingest\.overlapTokens: more than half of chunkTokens/],
    [
      { server: { fileBytesMax: 2000, bodyBytesMax: 3000, uploadBytesMax: 2999 } },
      "server.uploadBytesMax: less than the largest document that is accepted (3000)",
    ],
    [{ compact: { startRatio: 0.5, targetRatio: 0.5 } }, "compact.targetRatio: not below startRatio (0.5)"],
    [{ search: { top: 5 }, rerank: { keep: 6 } }, "rerank.keep: more than search.top (5)"],
    [{ 검색: {} }, "검색: there is no such key"],
  ];
  test.each(cases)("%j names the field and what was meant", (input, message) => {
    expect(() => parseConfig(input, {})).toThrow(
      typeof message === "string" ? expect.objectContaining({ message }) : message,
    );
  });

  test("every problem is on a line of its own", () => {
    const broken = { server: { prot: 1, zzz: 2 }, rerank: { timeoutMs: 0 } };
    expect(() => parseConfig(broken, {})).toThrow(/^(server|rerank)\..*\n.*\n[^\n]*$/);
  });

  test("what cannot be read hides no other problem, and is none twice", () => {
    const broken = {
      serch: {},
      session: { use: "redis", url: "${UNSET}", ttl: 1 },
      rerank: { use: "${UNSET}" },
      generate: { use: "openai", model: "m", baseUrl: ["http://a/v1", "${file:/nowhere}"] },
      server: { port: "${UNSET}", host: 5 },
    };
    const message = [
      "session.url: the environment variable UNSET is not set",
      "rerank.use: the environment variable UNSET is not set",
      "generate.baseUrl.1: the file /nowhere cannot be read (ENOENT)",
      "server.port: the environment variable UNSET is not set",
      "session.ttl: there is no such key",
      "server.host: expected string, received number",
      "serch: there is no such key; did you mean search?",
    ];
    expect(() => parseConfig(broken, {})).toThrow(expect.objectContaining({ message: message.join("\n") }));
  });
});

test("an authority's file without a certificate is refused by its field, whatever is spoken to", () => {
  const folder = folderForTest();
  const { ca, key } = certificates(folder);
  const damaged = folder.file("damaged.pem");
  writeFileSync(damaged, "-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n");
  const blocks: [string, (caFile: string) => object][] = [
    ["session.caFile", (caFile) => ({ session: { use: "postgres", caFile } })],
    ["session.caFile", (caFile) => ({ session: { use: "redis", url: "rediss://h", caFile } })],
    ["search.caFile", (caFile) => ({ search: { use: "postgres", caFile } })],
    ["search.caFile", (caFile) => ({ search: { use: "opensearch", url: "https://h:9200", caFile } })],
    ["search.caFile", (caFile) => ({ search: { use: "milvus", url: "https://h:19530", caFile } })],
    ["search.caFile", (caFile) => ({ search: { use: "grpc", endpoints: ["h:1"], caFile } })],
    ["stage.clientCaFile", (clientCaFile) => ({ stage: { certificateFile: ca, keyFile: key, clientCaFile } })],
  ];
  for (const [field, block] of blocks) {
    parseConfig(block(ca), {});
    for (const file of [key, damaged, import.meta.filename]) {
      expect(() => parseConfig(block(file), {})).toThrow(
        expect.objectContaining({ code: "config_invalid", message: `${field}: ${file} holds no certificate` }),
      );
    }
  }
  expect(() => parseConfig({ stage: { clientCaFile: ca } }, {})).toThrow(
    /clientCaFile needs certificateFile and keyFile/,
  );
});
