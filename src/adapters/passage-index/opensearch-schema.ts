import { createHash } from "node:crypto";
import type { Scope } from "../../types.ts";
import { SIMILARITY } from "./opensearch-terms.ts";
import type { Space } from "./vector-space.ts";

export interface IndexLayout {
  /** Begins every index's name. */
  readonly prefix: string;
  readonly shards: number;
  readonly replicas: number;
}

/** The names of what belongs to one collection. Tenants and collections share no index, hence no statistics. */
export interface CollectionNames {
  /** Id of its state and of its fusion. */
  readonly key: string;
  /** Alias that is searched. */
  readonly read: string;
  /** Alias that is written to, of one epoch: nothing lands in an index of another vector space. */
  write(epoch: number): string;
  index(epoch: number, space: Space): string;
  /** Of the name of an index; NaN: of none of the collection's. */
  epochOf(index: string): number;
}

/** One document a collection: what it is embedded with, and which generations are hidden. */
export const statesOf = ({ prefix }: IndexLayout) => `${prefix}-collections`;
/** One document a collection: what was learned about fusing its legs. */
export const fusionsOf = ({ prefix }: IndexLayout) => `${prefix}-fusion`;

export function namesOf({ prefix }: IndexLayout, { tenant, collection }: Scope): CollectionNames {
  const key = digest(JSON.stringify([tenant, collection]));
  const read = `${prefix}-c-${key}`;
  return {
    key,
    read,
    write: (epoch) => `${read}-w${epoch}`,
    index: (epoch, space) => `${read}-${epoch}${endingOf(space)}`,
    epochOf: (index) => Number(index.startsWith(`${read}-`) ? index.slice(read.length + 1).split("-")[0] : Number.NaN),
  };
}

/** How the name of an index ends whose vectors are of this space. */
export function endingOf(space: Space): string {
  return `-${spaceKey(space)}`;
}

export function documentKey(documentId: string): string {
  return digest(documentId);
}

function spaceKey({ model, dimensions }: Space): string {
  return digest(JSON.stringify([model, dimensions])).slice(0, 12);
}

/** 96 bits, in characters that an index's name may hold. */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 24);
}

const keyword = { type: "keyword" } as const;
const unread = { type: "object", enabled: false } as const;

/** Settings and mappings of a collection's index: documents and passages, of all generations. */
export function collectionIndex({ shards, replicas }: IndexLayout, { dimensions }: Space): object {
  return {
    settings: {
      number_of_shards: shards,
      number_of_replicas: replicas,
      "index.knn": true,
      similarity: { bm25f: SIMILARITY },
      analysis: {
        filter: { frequency: { type: "delimited_term_freq" } },
        analyzer: { written: { type: "custom", tokenizer: "whitespace", filter: ["frequency"] } },
      },
    },
    mappings: {
      dynamic: "strict",
      properties: {
        kind: keyword,
        generation: keyword,
        document: keyword,
        key: keyword,
        ordinal: { type: "integer" },
        readers: keyword,
        fields: keyword,
        meta: { type: "keyword", doc_values: false },
        terms: {
          type: "text",
          analyzer: "written",
          index_options: "freqs",
          norms: false,
          similarity: "bm25f",
        },
        vector: {
          type: "knn_vector",
          dimension: dimensions,
          method: {
            name: "hnsw",
            engine: "lucene",
            space_type: "cosinesimil",
            parameters: { m: 16, ef_construction: 128 },
          },
        },
        passages: { type: "integer" },
        tokens: { type: "integer" },
        entry: unread,
        passage: unread,
      },
    },
  };
}

/** Of the index of states, and of that of fusions: read by id alone. */
export function plainIndex({ replicas }: IndexLayout): object {
  return {
    settings: { number_of_shards: 1, number_of_replicas: replicas },
    mappings: { dynamic: false, properties: { tenant: keyword, collection: keyword } },
  };
}
