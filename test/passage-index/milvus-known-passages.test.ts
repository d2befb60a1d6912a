import { expect, test } from "vitest";
import { KnownPassages } from "../../src/adapters/passage-index/milvus-known-passages.ts";
import { passage } from "../support/stages.ts";

test("passages are shown without asking in the version alone in which all of them were current", async () => {
  const known = new KnownPassages();
  const hit = (id: string, score: number) => ({ id, document: "d", generation: "g", ordinal: 0, score });
  const hits = [hit("g:0", 2), hit("g:1", 1)];
  const asked: string[][] = [];
  const read = async (ids: readonly string[]) => {
    asked.push([...ids]);
    return new Map(ids.map((id) => [id, passage(`d#${id}`, "t")]));
  };
  await known.all(["g:0"], read);
  const passages = await known.all(["g:0", "g:1"], read);
  expect(asked).toEqual([["g:0"], ["g:1"]]);
  expect(known.scored(hits, "v1")).toBe(null);
  known.noteCurrent(hits, "v1");
  expect(known.scored(hits, "v1")).toEqual(hits.map(({ id, score }) => ({ passage: passages.get(id), score })));
  expect(known.scored(hits, "v2")).toBe(null);
  expect(known.scored([...hits, hit("g:2", 0.5)], "v1")).toBe(null);
  expect(known.scored([], "v1")).toEqual([]);
});
