import { stemmer } from "stemmer";
import { expect, test } from "vitest";
import { refused } from "../../src/adapters/passage-index/opensearch-client.ts";
import { filterQuery } from "../../src/adapters/passage-index/opensearch-filter.ts";
import { textSearch, vectorSearch } from "../../src/adapters/passage-index/opensearch-queries.ts";
import { passageTokens, writtenTerms } from "../../src/adapters/passage-index/opensearch-terms.ts";

const SEEN = { states: "r-collections", key: "k", groups: ["hr"] };
const OF_2024 = { ...SEEN, matching: filterQuery({ year: 2024 }) };
const HIDDEN = { terms: { generation: { index: "r-collections", id: "k", path: "hidden.generation" } } };
const READABLE = { terms: { readers: ["o", "g:hr"] } };

test("the text leg: one clause a token, a repeated one boosted, readers and hidden generations inside", () => {
  const body = textSearch(SEEN, "퇴직금 pay pay", 7, stemmer);
  expect(body).toMatchObject({
    size: 7,
    query: {
      bool: {
        should: [
          { term: { terms: { value: "퇴직" } } },
          { term: { terms: { value: "직금" } } },
          { term: { terms: { value: "pai", boost: 2 } } },
        ],
        minimum_should_match: 1,
        filter: [READABLE],
        must_not: HIDDEN,
      },
    },
  });
});

test("a question of any length stays below the engine's limit of clauses", () => {
  const text = Array.from({ length: 5000 }, (_, i) => `word${i}`).join(" ");
  const { query } = textSearch(OF_2024, text, 7, stemmer) as {
    readonly query: { readonly bool: { readonly should: readonly object[] } };
  };
  expect(query.bool.should.length).toBeLessThanOrEqual(1000);
  expect(query.bool.should.length).toBeGreaterThan(900);
});

test("the vector leg: the filter is inside the neighbours' search", () => {
  const body = vectorSearch(OF_2024, Float32Array.of(1, 0), 20);
  expect(body).toMatchObject({
    size: 20,
    query: {
      knn: {
        vector: {
          vector: [2 ** 30, 0],
          k: 100,
          filter: { bool: { filter: [READABLE, { terms: {} }], must_not: HIDDEN } },
        },
      },
    },
  });
});

test("terms are written with the frequency that BM25F gives them, in 64ths", () => {
  const tokens = passageTokens({ title: "휴가", headings: [], text: "휴가 하나 하나" }, stemmer);
  expect(tokens.length).toBe(2);
  // Of average length the text's counts stand as they are; a word of the title counts twice, once where the text begins with it.
  expect(writtenTerms(tokens, 2)).toBe("휴가|128 하나|128");
  const titled = passageTokens({ title: "규정", headings: [], text: "휴가" }, stemmer);
  expect(writtenTerms(titled, 1)).toBe("규정|128 휴가|64");
});

test("a refusal tells its type and reason, never a field's value", () => {
  const reason = "failed to parse field [x] of type [integer]. Preview of field's value: '비밀 급여'";
  const error = refused(400, { root_cause: [{ type: "mapper_parsing_exception", reason }] });
  expect(error).toMatchObject({ code: "dependency_failed", retryable: false });
  expect(`${error.message} ${String(error.cause)}`).not.toContain("비밀");
  expect(String(error.cause)).toContain("mapper_parsing_exception");
  expect(refused(429, { type: "circuit_breaking_exception" }).retryable).toBe(true);
  expect(refused(401, "").message).toContain("search.password");
});
