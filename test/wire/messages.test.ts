import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Filter, Metadata, Passage, Source } from "../../src/types.ts";
import { methodOf, STAGE_SERVICES } from "../../src/wire/definitions.ts";
import { type GenerateRequestMessage, generateFrom, generateMessage } from "../../src/wire/generate.ts";
import {
  resultFrom,
  resultMessage,
  type SearchRequest,
  type SearchResponse,
  searchFrom,
  searchMessage,
} from "../../src/wire/search.ts";
import { packed, unpacked, unpackedOne } from "../../src/wire/vectors.ts";

const text = fc.string({ unit: "grapheme", maxLength: 20 });
const key = fc.oneof(text, fc.constantFrom("year", "부서", "__proto__", "constructor", "7", "toString"));
const single = fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean());
const metadata: fc.Arbitrary<Metadata> = fc.dictionary(key, fc.oneof(single, fc.array(single, { maxLength: 3 })), {
  maxKeys: 4,
});
const passage: fc.Arbitrary<Passage> = fc.record(
  {
    id: text,
    documentId: text,
    title: text,
    headings: fc.array(text, { maxLength: 3 }),
    text,
    tokens: fc.nat(10_000),
    page: fc.integer({ min: 1, max: 900 }),
    pageEnd: fc.integer({ min: 1, max: 900 }),
    url: text,
    metadata,
  },
  { requiredKeys: ["id", "documentId", "title", "headings", "text", "tokens", "metadata"] },
);
const place = passage.map(({ id, tokens: _, text: __, metadata: ___, ...rest }) => ({ passageId: id, ...rest }));
const source: fc.Arbitrary<Source> = fc
  .tuple(passage, fc.nat(50), fc.double({ noNaN: true }), fc.array(place, { maxLength: 2 }))
  .map(([{ id, tokens: _, ...rest }, n, score, alsoIn]) => ({
    n,
    passageId: id,
    score,
    ...rest,
    ...(alsoIn.length > 0 && { alsoIn }),
  }));
const condition = fc.oneof(
  single,
  fc.record({ $gte: fc.integer(), $lt: fc.integer() }),
  fc.record({ $in: fc.array(single, { maxLength: 3 }) }),
  fc.record({ $ne: single }),
);
const filter = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: "small" },
    fc.dictionary(key, condition, { maxKeys: 3 }) as fc.Arbitrary<Filter>,
    fc.record({ $or: fc.array(tie("filter"), { maxLength: 2 }) }) as fc.Arbitrary<Filter>,
    fc.record({ $not: tie("filter") }) as fc.Arbitrary<Filter>,
  ),
})).filter;
const vector = fc
  .array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 })
  .map((all) => Float32Array.from(all));

/** Through real bytes. */
function sent<T>(stage: keyof typeof STAGE_SERVICES, name: string, side: "request" | "response", message: object): T {
  const method = methodOf(STAGE_SERVICES[stage], name);
  const [write, read] =
    side === "request"
      ? [method.requestSerialize, method.requestDeserialize]
      : [method.responseSerialize, method.responseDeserialize];
  return read(write(message)) as T;
}

describe("messages", () => {
  test("a search comes out as it went in: scope, text, vector and any filter", () => {
    const scope = { tenant: "회사", collection: "규정", groups: ["이사회", ""], space: { model: "e5", dimensions: 3 } };
    fc.assert(
      fc.property(fc.option(text), fc.option(vector), fc.nat(1000), fc.option(filter), (words, of, limit, wanted) => {
        const query = {
          limit,
          ...(words !== null && { text: words }),
          ...(of && { vector: of }),
          ...(wanted && { filter: wanted }),
        };
        const request = sent<SearchRequest>("search", "Search", "request", { scope, ...searchMessage(query) });
        expect(searchFrom(request)).toEqual(query);
        expect(request.scope).toEqual(scope);
      }),
    );
  });

  test("hits come out as they went in, a passage of both legs once", () => {
    const hits = fc.array(fc.tuple(passage, fc.double({ noNaN: true })), { maxLength: 4 });
    fc.assert(
      fc.property(hits, hits, (first, second) => {
        const named = [...first, ...second].map(([one], i) => ({ ...one, id: `d#${i}` }));
        const scored = (from: number, pairs: typeof first) =>
          pairs.flatMap(([, score], i) => {
            const one = named[from + i];
            return one ? [{ passage: one, score }] : [];
          });
        const byText = scored(0, first);
        const byVector = [...scored(first.length, second), ...byText.slice(0, 1)];
        const message = sent<SearchResponse>("search", "Search", "response", resultMessage({ byText, byVector }));
        expect(message.passages).toHaveLength(named.length);
        expect(resultFrom(message)).toEqual({ byText, byVector });
      }),
    );
  });

  test("a request for an answer comes out as it went in, sources and their other places included", () => {
    fc.assert(
      fc.property(fc.array(source, { maxLength: 3 }), text, (sources, question) => {
        const messages = (["system", "user", "assistant", "user"] as const).map((role) => ({
          role,
          content: question,
        }));
        const request = { messages, question, query: `${question}?`, sources, maxOutputTokens: 77 };
        const message = sent<GenerateRequestMessage>("generate", "Generate", "request", generateMessage(request));
        expect(generateFrom(message)).toEqual(request);
      }),
    );
  });

  test("vectors are little-endian float32, one after the other, at any address", () => {
    expect([...packed([Float32Array.from([1, -2]), Float32Array.from([0.5, 0])])]).toEqual([
      0, 0, 128, 63, 0, 0, 0, 192, 0, 0, 0, 63, 0, 0, 0, 0,
    ]);
    fc.assert(
      fc.property(vector, fc.nat(3), (of, offset) => {
        const bytes = packed([of]);
        const shifted = new Uint8Array(bytes.length + offset);
        shifted.set(bytes, offset);
        expect(unpackedOne(shifted.subarray(offset))).toEqual(of);
        expect(unpacked(packed([of, of]), of.length)).toEqual([of, of]);
      }),
    );
  });
});
