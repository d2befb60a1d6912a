import { pino } from "pino";
import { expect, test, vi } from "vitest";
import { RaglineError } from "../src/errors.ts";
import type { Stages } from "../src/pipeline/stages.ts";
import type { CallOptions } from "../src/types.ts";
import { warm } from "../src/warm.ts";
import { call, SCOPE } from "./support/calls.ts";

const warming = async (loadIndex: (call: CallOptions) => Promise<void>) => {
  const said: string[] = [];
  const log = pino({ level: "error" }, { write: (line) => void said.push(JSON.parse(line).msg) });
  const index = { warm: (_: unknown, options: CallOptions) => loadIndex(options) };
  await warm({ index, embedder: {}, reranker: null, model: {} } as unknown as Stages, SCOPE, call(), log);
  return said;
};

test.each(["dependency_failed", "dependency_timeout"] as const)(
  "an index that is away may come back: %s",
  async (code) => {
    const away = () => Promise.reject(new RaglineError(code, "It is away.", { retryable: true }));
    expect(await warming(away)).toEqual(["the index cannot be reached"]);
  },
);

test("one that is of no use never will be", async () => {
  await expect(warming(() => Promise.reject(new RaglineError("conflict", "Another space.")))).rejects.toThrow(
    "Another",
  );
  const wrong = new RaglineError("dependency_failed", "No such database.", { retryable: false });
  await expect(warming(() => Promise.reject(wrong))).rejects.toThrow("No such");
});

test("an index that says nothing is waited for with a limit", async () => {
  const load = vi.fn(async (_: CallOptions) => undefined);
  expect(await warming(load)).toEqual([]);
  const [options] = load.mock.calls[0] ?? [];
  expect((options?.deadline ?? Number.POSITIVE_INFINITY) - performance.now()).toBeLessThan(30_000);
});
