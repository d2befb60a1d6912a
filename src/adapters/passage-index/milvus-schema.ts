import type { FieldType } from "@zilliz/milvus2-sdk-node";
import { RaglineError } from "../../errors.ts";
import type { CallOptions, Scope } from "../../types.ts";
import { isLite, type MilvusConnection } from "./milvus-client.ts";
import { isMissingCollection } from "./milvus-failures.ts";
import { digest } from "./milvus-values.ts";

export interface MilvusLayout {
  /** Begins every Milvus collection's name. */
  readonly prefix: string;
  /** Of each new Milvus collection of passages. */
  readonly shards: number;
}

/** How text is searched: with sparse vectors, or, before Milvus 2.4, by reading whatever holds a word. */
export type TextKind = "sparse" | "scanned";

export const VARCHAR_BYTES_MAX = 65_535;
export const ARRAY_LENGTH_MAX = 4096;
/** Of one search, or query. */
export const LIMIT_MAX = 16_384;
/** By which a tenant's collection is told from others. */
const PARTITIONS = 16;
const HNSW = { M: 16, efConstruction: 200 };

/** Of a tenant's collection. */
export function partOf({ tenant, collection }: Scope): string {
  return digest(JSON.stringify([tenant, collection]));
}

const text = (name: string, max_length = VARCHAR_BYTES_MAX): FieldType => ({ name, data_type: "VarChar", max_length });
const list = (name: string): FieldType => ({
  name,
  data_type: "Array",
  element_type: "VarChar",
  max_capacity: ARRAY_LENGTH_MAX,
  max_length: 32,
});
const key = (max_length: number): FieldType => ({ ...text("id", max_length), is_primary_key: true });

/** States, documents, counts and what else is found by its name. Milvus takes no collection without a vector. */
const RECORD_FIELDS: FieldType[] = [
  key(8192),
  text("part", 32),
  text("kind", 1),
  text("generation", 64),
  { name: "at", data_type: "Int64" },
  { name: "passages", data_type: "Int64" },
  { name: "tokens", data_type: "Int64" },
  { name: "open", data_type: "Bool" },
  list("readers"),
  list("meta"),
  text("data"),
  { name: "unused", data_type: "FloatVector", dim: 2 },
];

function passageFields(dimensions: number, kind: TextKind): FieldType[] {
  const words: FieldType[] =
    kind === "sparse"
      ? [{ name: "words", data_type: "SparseFloatVector" }]
      : [
          {
            name: "terms",
            data_type: "Array",
            element_type: "Int64",
            max_capacity: ARRAY_LENGTH_MAX,
          },
          text("counts"),
        ];
  return [
    key(128),
    { ...text("part", 32), is_partition_key: true },
    text("generation", 64),
    text("document", 4096),
    { name: "ordinal", data_type: "Int64" },
    { name: "embedded", data_type: "Bool" },
    { name: "open", data_type: "Bool" },
    list("readers"),
    list("meta"),
    { name: "sorted", data_type: "JSON" },
    text("content"),
    ...words,
    { name: "vector", data_type: "FloatVector", dim: dimensions },
  ];
}

interface Wanted {
  readonly name: string;
  readonly fields: FieldType[];
  /** Index and metric by vector field. */
  readonly indexes: Readonly<Record<string, readonly [index: string, metric: string]>>;
  readonly shards: number;
  readonly partitions?: number;
}

/** Milvus's own collections that a write goes to. */
export interface WriteTarget {
  readonly kind: TextKind;
  readonly records: string;
  readonly passages: string;
}

/** Milvus's own collections: made, with their indexes, when something is first written. */
export class MilvusCollections {
  readonly #connection: MilvusConnection;
  readonly #layout: MilvusLayout;
  readonly #there = new Set<string>();
  readonly #made = new Map<string, Promise<void>>();
  #kind: TextKind | null = null;

  constructor(connection: MilvusConnection, layout: MilvusLayout) {
    this.#connection = connection;
    this.#layout = layout;
  }

  records(kind: TextKind): string {
    return `${this.#layout.prefix}_records_${kind}`;
  }

  passages(dimensions: number, kind: TextKind): string {
    return `${this.#layout.prefix}_passages_${kind}_${dimensions}`;
  }

  /** How text is searched here; null: nothing was ever written. */
  async textKind(call: CallOptions): Promise<TextKind | null> {
    if (this.#kind) return this.#kind;
    for (const kind of ["sparse", "scanned"] as const) {
      if (!(await this.isThere(this.records(kind), call))) continue;
      this.#kind = kind;
      return kind;
    }
    return null;
  }

  /** How text is searched here, or will be once something is written. */
  async writtenKind(call: CallOptions): Promise<TextKind> {
    return (await this.textKind(call)) ?? serverTextKind(this.#connection, call);
  }

  async isThere(name: string, call: CallOptions): Promise<boolean> {
    if (this.#there.has(name)) return true;
    // `hasCollection` says no to whatever the server refuses, and be it that it is not ready yet.
    try {
      await this.#connection.request(
        "DescribeCollection",
        (client, timeout) => client.describeCollection({ collection_name: name, timeout }),
        call,
      );
    } catch (thrown) {
      if (isMissingCollection(thrown)) return false;
      throw thrown;
    }
    this.#there.add(name);
    return true;
  }

  /** What was there may not be any more. */
  forget(): void {
    this.#there.clear();
    this.#made.clear();
    this.#kind = null;
  }

  /** The version of the server is looked at before a schema is sent: one that it does not know ends a Milvus 2.3 with SIGABRT. */
  async ensure(dimensions: number, call: CallOptions): Promise<WriteTarget> {
    const kind = await this.writtenKind(call);
    const { shards } = this.#layout;
    const target = { kind, records: this.records(kind), passages: this.passages(dimensions, kind) };
    // One channel: what is written there together is seen together.
    const records = {
      name: target.records,
      fields: RECORD_FIELDS,
      indexes: { unused: ["FLAT", "L2"] },
      shards: 1,
    } as const;
    await this.#ensured(records, call);
    await this.#ensured(
      {
        name: target.passages,
        fields: passageFields(dimensions, kind),
        indexes: {
          vector: ["HNSW", "COSINE"],
          ...(kind === "sparse" && { words: ["SPARSE_INVERTED_INDEX", "IP"] as const }),
        },
        shards,
        partitions: PARTITIONS,
      },
      call,
    );
    this.#kind = kind;
    return target;
  }

  #ensured(wanted: Wanted, call: CallOptions): Promise<void> {
    const known = this.#made.get(wanted.name);
    if (known) return known;
    const making = this.#make(wanted, call);
    this.#made.set(wanted.name, making);
    making.catch(() => this.#made.delete(wanted.name));
    return making;
  }

  async #make({ name, fields, indexes, shards, partitions }: Wanted, call: CallOptions): Promise<void> {
    const connection = this.#connection;
    const collection_name = name;
    if (!(await this.isThere(name, call))) {
      const request = {
        collection_name,
        fields,
        shards_num: shards,
        consistency_level: "Strong" as const,
        ...(partitions !== undefined && { num_partitions: partitions }),
      };
      await connection
        .request("CreateCollection", (client, timeout) => client.createCollection({ ...request, timeout }), call)
        .catch(async (thrown: unknown) => {
          // Another process was faster.
          if (!(await this.isThere(name, call))) throw thrown;
        });
      this.#there.add(name);
    }
    const indexed = await connection
      .request("DescribeIndex", (client, timeout) => client.describeIndex({ collection_name, timeout }), call)
      .then(
        ({ index_descriptions }) => index_descriptions.map(({ field_name }) => field_name),
        (): string[] => [],
      );
    for (const [field_name, [index_type, metric_type]] of Object.entries(indexes)) {
      if (indexed.includes(field_name)) continue;
      const params = index_type === "HNSW" ? HNSW : {};
      await connection.request(
        "CreateIndex",
        (client, timeout) =>
          client.createIndex({
            collection_name,
            field_name,
            index_name: field_name,
            index_type,
            metric_type,
            params,
            timeout,
          }),
        call,
      );
    }
    await connection.request(
      "LoadCollection",
      (client, timeout) => client.loadCollectionAsync({ collection_name, timeout }),
      call,
    );
  }
}

/** @throws RaglineError `dependency_failed`: a server before Milvus 2.3, or of another kind */
async function serverTextKind(connection: MilvusConnection, call: CallOptions): Promise<TextKind> {
  const version = await connection.version(call);
  if (isLite(version)) return "sparse";
  const [, major = 0, minor = 0] = (/^v?(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  if (major > 2 || (major === 2 && minor >= 4)) return "sparse";
  if (major === 2 && minor === 3) return "scanned";
  throw new RaglineError(
    "dependency_failed",
    `The server says that it is ${JSON.stringify(version)}; Milvus 2.3 or later is needed.`,
    {
      retryable: false,
    },
  );
}
