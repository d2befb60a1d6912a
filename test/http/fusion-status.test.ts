import { afterEach, expect, test } from "vitest";
import { statusSchema } from "../../src/http/responses.ts";
import type { ConfigInput } from "../../src/index.ts";
import { type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline | undefined;
afterEach(() => served?.close());

async function fusionOf(config: ConfigInput) {
  served = await serveRagline(config);
  const response = await fetch(`${served.url}/v1/status`);
  return statusSchema.parse(await response.json()).fusion;
}

test("GET /v1/status says that nothing was learned yet: the prior", async () => {
  const fusion = await fusionOf({});
  expect(fusion.from).toBe("prior");
  expect(fusion.weights.ko).toEqual({ uncovered: 0.3, covered: 0, questions: 0 });
});

test("GET /v1/status shows an operator's own weights, the same for every language", async () => {
  const fusion = await fusionOf({ search: { fusion: "fixed", vectorWeight: 0.5, vectorWeightCovered: 0.25 } });
  expect(fusion.from).toBe("fixed");
  expect(Object.keys(fusion.weights).sort()).toEqual(["en", "ko", "other"]);
  for (const weights of Object.values(fusion.weights)) {
    expect(weights).toEqual({ uncovered: 0.5, covered: 0.25, questions: 0 });
  }
});
