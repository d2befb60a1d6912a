import { DatabaseSync } from "node:sqlite";
import { connect, Index } from "@lancedb/lancedb";
import MiniSearch from "minisearch";
import { getLoadablePath } from "sqlite-vec";
import { searchTokens } from "../../src/text/tokens.ts";
import { type BenchQuestion, passage } from "./corpus.ts";

/** A search engine for one leg; what it finds is row numbers. Texts are given as the very tokens that Ragline searches by. */
export interface Leg {
  readonly name: string;
  readonly leg: "text" | "vector";
  search(question: BenchQuestion): Promise<unknown> | unknown;
  close(): Promise<void> | void;
}

const LIMIT = 20;
const SLICE = 1000;

const tokensOf = (n: number) => {
  const { title, text } = passage(n);
  return searchTokens(`${title}\n${text}`).join(" ");
};

export async function fts5(size: number): Promise<Leg> {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE VIRTUAL TABLE texts USING fts5 (text, content='', tokenize='unicode61')");
  const insert = database.prepare("INSERT INTO texts (rowid, text) VALUES (?, ?)");
  database.exec("BEGIN");
  for (let n = 0; n < size; n++) insert.run(n, tokensOf(n));
  database.exec("COMMIT; INSERT INTO texts (texts) VALUES ('optimize')");
  const query = database.prepare("SELECT rowid, rank FROM texts WHERE texts MATCH ? ORDER BY rank LIMIT 20");
  return {
    name: "SQLite FTS5",
    leg: "text",
    search: ({ text }) =>
      query.all(
        searchTokens(text)
          .map((token) => `"${token}"`)
          .join(" OR "),
      ),
    close: () => database.close(),
  };
}

export async function miniSearch(size: number): Promise<Leg> {
  const index = new MiniSearch<{ id: number; text: string }>({
    fields: ["text"],
    tokenize: (text) => text.split(" "),
    processTerm: (term) => term,
  });
  for (let n = 0; n < size; n++) index.add({ id: n, text: tokensOf(n) });
  return {
    name: "MiniSearch",
    leg: "text",
    search: ({ text }) => index.search(searchTokens(text).join(" ")).slice(0, LIMIT),
    close: () => undefined,
  };
}

export async function sqliteVec(size: number): Promise<Leg> {
  const database = new DatabaseSync(":memory:", { allowExtension: true });
  database.loadExtension(getLoadablePath());
  database.exec("CREATE VIRTUAL TABLE vectors USING vec0 (vector float[384])");
  const insert = database.prepare("INSERT INTO vectors (rowid, vector) VALUES (?, ?)");
  database.exec("BEGIN");
  for (let n = 0; n < size; n++) insert.run(BigInt(n), bytes(passage(n).vector));
  database.exec("COMMIT");
  const query = database.prepare("SELECT rowid, distance FROM vectors WHERE vector MATCH ? AND k = 20");
  return {
    name: "sqlite-vec",
    leg: "vector",
    search: ({ vector }) => query.all(bytes(vector)),
    close: () => database.close(),
  };
}

/** One table for both legs: full-text index over white space, exact vector scan. */
export async function lanceDb(size: number, folder: string): Promise<Leg[]> {
  const database = await connect(folder);
  const rows = (from: number) =>
    Array.from({ length: Math.min(SLICE, size - from) }, (_, i) => ({
      id: from + i,
      text: tokensOf(from + i),
      vector: Array.from(passage(from + i).vector),
    }));
  const table = await database.createTable("passages", rows(0));
  for (let from = SLICE; from < size; from += SLICE) await table.add(rows(from));
  const config = Index.fts({ baseTokenizer: "whitespace", stem: false, removeStopWords: false, lowercase: false });
  await table.createIndex("text", { config });
  return [
    {
      name: "LanceDB",
      leg: "text",
      search: ({ text }) =>
        table.search(searchTokens(text).join(" "), "fts", "text").select(["id", "_score"]).limit(LIMIT).toArray(),
      close: () => undefined,
    },
    {
      name: "LanceDB",
      leg: "vector",
      search: ({ vector }) => table.vectorSearch(Array.from(vector)).select(["id", "_distance"]).limit(LIMIT).toArray(),
      close: () => database.close(),
    },
  ];
}

function bytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
}
