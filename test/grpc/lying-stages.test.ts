import { afterEach, describe, expect, test } from "vitest";
import { createGrpcEmbedders } from "../../src/adapters/embedder/grpc.ts";
import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { report } from "../../src/adapters/grpc/unary.ts";
import { composeStage } from "../../src/compose/stage.ts";
import { parseConfig } from "../../src/config.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { ModelCall, Served } from "../../src/types.ts";
import { Metadata, status } from "../../src/wire/library.ts";
import { searchFrom } from "../../src/wire/search.ts";
import { fromStatus, TRAILERS } from "../../src/wire/status.ts";
import { packed } from "../../src/wire/vectors.ts";
import { withMethods } from "../../src/wrap/with-methods.ts";
import { call, SCOPE } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { clientOptions, only, serveOnLoopback } from "../support/stages-apart.ts";

const toClose: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close();
});

const trailers = (values: Readonly<Record<string, string>>) => {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(values)) metadata.set(name, value);
  return metadata;
};

describe("what a stage says of its work", () => {
  test.each(["{oops", "null", "7", '[["x", -5, 1e308]]', "[null, {}, [1]]"])(
    "%s throws nothing, and counts no nonsense",
    (said) => {
      const calls: ModelCall[] = [];
      const servings: Served[] = [];
      const told = trailers({
        [TRAILERS.serviceMs]: "abc",
        [TRAILERS.queueMs]: "-1",
        [TRAILERS.modelCalls]: said,
      });
      report(told, {
        ...call(),
        onModelCall: (one) => calls.push(one),
        onServed: (one) => servings.push(one),
      });
      expect(servings).toEqual([{ queueMs: 0, serviceMs: 0 }]);
      for (const figure of calls.flatMap((one) => Object.values(one))) {
        expect(figure).toBeGreaterThanOrEqual(0);
        expect(figure).toBeLessThanOrEqual(1e12);
      }
    },
  );

  test.each([
    ["abc", undefined],
    ["-5", undefined],
    ["1e300", 3_600_000],
    ["250", 250],
  ])("retry after %s", (said, retryAfterMs) => {
    const metadata = trailers({ [TRAILERS.code]: "rate_limited", [TRAILERS.retryAfterMs]: said });
    const error = fromStatus(
      { code: status.RESOURCE_EXHAUSTED, details: "later", metadata },
      "a:1",
      "/ragline.v1.Search/Has",
    );
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  test.each(["unauthorized", "forbidden", "config_invalid", "cancelled"])(
    "its own %s is its asker's dependency_failed, not the reader's fault",
    (code) => {
      const metadata = trailers({ [TRAILERS.code]: code });
      const error = fromStatus(
        { code: status.PERMISSION_DENIED, details: "no", metadata },
        "a:1",
        "/ragline.v1.Search/Has",
      );
      expect(error.code).toBe("dependency_failed");
    },
  );
});

test("a method that the stage does not have is named, with what to do", () => {
  const unknown = { code: status.UNIMPLEMENTED, details: "no such method", metadata: trailers({}) };
  expect(fromStatus(unknown, "a:1", "/ragline.v1.Search/Has")).toMatchObject({
    code: "dependency_failed",
    retryable: false,
    message: expect.stringMatching(/does not know Search\/Has: it is of an older Ragline.*Upgrade stages before/),
    cause: { message: expect.stringContaining("a:1") },
  });
});

test.each([Number.NaN, Number.POSITIVE_INFINITY])(
  "a vector that holds %d is refused by the asker, and by the search stage",
  async (wrong) => {
    const vector = new Float32Array(64).fill(0.125);
    vector[3] = wrong;
    const port: Embedder = withMethods(createHashingEmbedder({ dimensions: 64 }), { embed: async () => [vector] });
    const server = await serveOnLoopback({ stage: "embed", port });
    toClose.push(() => server.close());
    const embedder = only(await createGrpcEmbedders(clientOptions("embed", [server.address])));
    toClose.push(async () => embedder.close?.());
    await expect(embedder.embed(["연차"], "query", call())).rejects.toMatchObject({ code: "dependency_failed" });
    expect(() => searchFrom({ vector: packed([vector]), limit: 5 } as never)).toThrow(
      /vector: holds values that are no numbers/,
    );
  },
);

test("askers of ever new vector spaces do not lock out the rightful one", async () => {
  const folder = temporaryFolder();
  const config = parseConfig({ search: { use: "sqlite", file: folder.file("a.db") } });
  const stage = await composeStage(config, "search");
  if (stage.stage !== "search") throw new Error("another stage");
  for (let i = 0; i < 9; i++) {
    const index = await stage.port({ model: `space-${i}`, dimensions: 8 });
    expect((await index.status(SCOPE, call())).documents).toBe(0);
  }
  await stage.close();
  folder.remove();
});
