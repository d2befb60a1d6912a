import { expect, test } from "vitest";
import { found, SEARCHES } from "../../src/adapters/passage-index/opensearch-responses.ts";

test("what a response leaves out because it is empty is empty", () => {
  expect(found({})).toEqual({ hits: { hits: [] } });
  expect(found({ status: 200 })).toEqual({ hits: { hits: [] } });
  expect(found({ status: 200, hits: { total: { value: 0 } } })).toEqual({ hits: { total: { value: 0 }, hits: [] } });
});

test("hits and totals stay as they are", () => {
  const hit = { _id: "k:g1:0", _score: 1.5 };
  expect(found({ status: 200, hits: { hits: [hit] } }).hits.hits).toEqual([hit]);
  expect(found({ status: 200, hits: { total: { value: 7 } } }).hits.total?.value).toBe(7);
});

test("asked for is all that is read, failures of the whole and of each search included", () => {
  const [path, query = ""] = SEARCHES.split("?");
  expect(path).toBe("/_msearch");
  expect(new URLSearchParams(query).get("filter_path")?.split(",")).toEqual(
    expect.arrayContaining([
      "error",
      "status",
      "responses.status",
      "responses.error",
      "responses.timed_out",
      "responses.hits.total.value",
      "responses.hits.hits._index",
      "responses.hits.hits._id",
      "responses.hits.hits._score",
    ]),
  );
});
