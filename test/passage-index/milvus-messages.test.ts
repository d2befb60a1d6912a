import { createRequire } from "node:module";
import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { queryMessage, readPlaces, readRows, searchMessage } from "../../src/adapters/passage-index/milvus-messages.ts";

const require = createRequire(import.meta.url);
const definitions = require("@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.base.js") as {
  readonly default: Parameters<typeof protobuf.Root.fromJSON>[0];
};
const root = protobuf.Root.fromJSON(definitions.default);
const type = (name: string) => root.lookupType(`milvus.proto.${name}`);
const encoded = (name: string, value: object) => Buffer.from(type(name).encode(type(name).fromObject(value)).finish());
const decoded = (name: string, bytes: Buffer) =>
  type(name).toObject(type(name).decode(bytes), { longs: Number, bytes: Buffer }) as Record<string, unknown>;

describe("messages of Milvus, beside its own definitions", () => {
  test("a search says what it looks for, with a vector of either kind", () => {
    const vector = Float32Array.from({ length: 300 }, (_, i) => i / 7);
    const common = { collection: "p", filter: 'part == "가"', params: { ef: 168 }, limit: 84 };
    const dense = decoded(
      "milvus.SearchRequest",
      searchMessage({ ...common, by: "vector", metric: "COSINE", vector, isStrong: false }),
    );
    expect(dense).toMatchObject({
      collectionName: "p",
      dsl: 'part == "가"',
      dslType: 1,
      outputFields: ["document"],
      nq: 1,
      consistencyLevel: 2,
      searchParams: expect.arrayContaining([
        { key: "anns_field", value: "vector" },
        { key: "topk", value: "84" },
        { key: "metric_type", value: "COSINE" },
        { key: "params", value: '{"ef":168}' },
      ]),
    });
    const holder = decoded("common.PlaceholderGroup", dense.placeholderGroup as Buffer);
    expect(holder).toEqual({ placeholders: [{ tag: "$0", type: 101, values: [Buffer.from(vector.buffer)] }] });

    const weights = new Map([
      [-1, 0.5],
      [7, 2],
    ]);
    const sparse = decoded(
      "milvus.SearchRequest",
      searchMessage({ ...common, by: "words", metric: "IP", vector: weights, isStrong: true }),
    );
    expect(sparse.consistencyLevel ?? 0).toBe(0);
    const { placeholders } = decoded("common.PlaceholderGroup", sparse.placeholderGroup as Buffer) as {
      readonly placeholders: readonly { readonly type: number; readonly values: readonly Buffer[] }[];
    };
    const [bytes = Buffer.alloc(0)] = placeholders[0]?.values ?? [];
    expect(placeholders[0]?.type).toBe(104);
    expect([bytes.readUInt32LE(0), bytes.readFloatLE(4), bytes.readUInt32LE(8), bytes.readFloatLE(12)]).toEqual([
      7, 2, 0xffff_fffe, 0.5,
    ]);
  });

  test("a query says what it looks for", () => {
    const filter = `id in ["${"x".repeat(100_000)}"]`;
    const message = { collection: "r", filter, fields: ["id", "at"], params: { limit: 16_384 }, isStrong: true };
    expect(decoded("milvus.QueryRequest", queryMessage(message))).toMatchObject({
      collectionName: "r",
      expr: filter,
      outputFields: ["id", "at"],
      queryParams: [{ key: "limit", value: "16384" }],
    });
  });

  test("of hits as many are read as are wanted, and those that score as the last of them", () => {
    const hits = fc.array(fc.tuple(fc.string({ unit: "grapheme" }), fc.string(), fc.integer({ min: -3, max: 3 })));
    fc.assert(
      fc.property(hits, fc.integer({ min: 1, max: 10 }), (all, wanted) => {
        const sorted = all.toSorted(([, , a], [, , b]) => b - a);
        const bytes = encoded("milvus.SearchResults", {
          status: { code: 0 },
          results: {
            numQueries: 1,
            topK: all.length,
            fieldsData: [
              {
                type: 21,
                fieldName: "document",
                fieldId: 104,
                scalars: { stringData: { data: sorted.map(([, d]) => d) } },
              },
            ],
            scores: sorted.map(([, , score]) => score),
            ids: { strId: { data: sorted.map(([id]) => id) } },
            topks: [all.length],
            outputFields: ["document"],
          },
          collectionName: "c".repeat(200),
        });
        const last = sorted[wanted - 1]?.[2] ?? Number.NEGATIVE_INFINITY;
        expect(readPlaces(bytes, wanted, 0.5)).toEqual({
          status: { code: 0, error_code: 0, reason: "", retriable: false },
          places: sorted.flatMap(([id, document, score]) => (score >= last ? [{ id, document, score }] : [])),
          total: all.length,
        });
      }),
    );
    const refused = encoded("milvus.SearchResults", { status: { errorCode: 4, code: 100 } });
    expect(readPlaces(refused, 5, 0)).toMatchObject({ status: { code: 100 }, places: [], total: 0 });
  });

  test("rows are read with numbers, truth, texts and vectors, and a refusal with its reason", () => {
    const whole = fc.integer({ min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    const row = fc.tuple(
      whole,
      fc.boolean(),
      fc.string({ unit: "grapheme" }),
      fc.array(fc.float({ noNaN: true }), { minLength: 3, maxLength: 3 }),
    );
    fc.assert(
      fc.property(fc.array(row), (all) => {
        const sparse = Buffer.alloc(8);
        sparse.writeUInt32LE(0xffff_fffe, 0);
        sparse.writeFloatLE(0.5, 4);
        const bytes = encoded("milvus.QueryResults", {
          status: { code: 0 },
          fieldsData: [
            { fieldName: "at", scalars: { longData: { data: all.map(([at]) => at) } } },
            { fieldName: "open", scalars: { boolData: { data: all.map(([, open]) => open) } } },
            { fieldName: "data", scalars: { stringData: { data: all.map(([, , text]) => text) } } },
            {
              fieldName: "vector",
              vectors: { dim: 3, floatVector: { data: all.flatMap(([, , , vector]) => vector) } },
            },
            { fieldName: "words", vectors: { dim: 9, sparseFloatVector: { dim: 9, contents: all.map(() => sparse) } } },
          ],
          collectionName: "r",
        });
        expect(readRows(bytes).rows).toEqual(
          all.map(([at, open, data, vector]) => ({
            at,
            open,
            data,
            vector: Float32Array.from(vector),
            words: { 4294967294: 0.5 },
          })),
        );
      }),
    );
    const refused = encoded("milvus.QueryResults", {
      status: { errorCode: 4, code: 100, reason: "없음", retriable: true },
    });
    expect(readRows(refused)).toEqual({
      status: { error_code: 4, code: 100, reason: "없음", retriable: true },
      rows: [],
    });
    expect(readRows(Buffer.alloc(0)).status).toBeUndefined();
  });
});
