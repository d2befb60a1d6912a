import { setImmediate as yieldToOthers } from "node:timers/promises";
import type { Fusion, FusionStore, StoredPassage } from "../../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../../types.ts";
import type { Database } from "../sqlite/database.ts";
import { floats } from "../sqlite/vector-blob.ts";
import { Remembered } from "./remembered.ts";
import { samplePlaces } from "./sample-places.ts";
import { READABLE } from "./sqlite-rows.ts";

const THIS_COLLECTION = "(SELECT row FROM collections WHERE tenant = ? AND name = ?)";
const DOCUMENTS = `SELECT row, id, passages FROM documents d WHERE collection = ${THIS_COLLECTION} AND ${READABLE} AND id > ? ORDER BY id LIMIT ?`;
const PASSAGE = `SELECT d.title, p.headings, p.text, p.vector FROM passages p JOIN documents d ON d.row = p.document
  WHERE p.document = ? AND p.ordinal = ?`;
const LOAD = `SELECT learned FROM fusion WHERE collection = ${THIS_COLLECTION}`;
const SAVE = `INSERT OR REPLACE INTO fusion (collection, learned) SELECT row, ? FROM collections WHERE tenant = ? AND name = ?`;

const DOCUMENTS_PAGE = 2000;
/** Passages read between two turns of the event loop. */
const PASSAGES_BATCH = 64;
/** Remembered. */
const COLLECTIONS_MAX = 1000;

interface DocumentRow {
  readonly row: number;
  readonly id: string;
  readonly passages: number;
}

interface PassageRow {
  readonly title: string;
  readonly headings: string;
  readonly text: string;
  readonly vector: Uint8Array | null;
}

interface Loaded {
  readonly dataVersion: number;
  readonly json: string | null;
  readonly fusion: Fusion | null;
}

/** What was learned about a collection, beside it in its file. */
export class SqliteFusionStore implements FusionStore {
  readonly #database: Database;
  readonly #loaded = new Remembered<string, Loaded>({ weightMax: COLLECTIONS_MAX, weightOf: () => 1 });

  constructor(database: Database) {
    this.#database = database;
  }

  async sample(scope: Scope, limit: number): Promise<StoredPassage[]> {
    const places = samplePlaces(await this.#documents(scope), limit);
    const sample: StoredPassage[] = [];
    for (const [i, { document, ordinal }] of places.entries()) {
      if (i % PASSAGES_BATCH === 0) await yieldToOthers();
      const row = this.#database.get<PassageRow>(PASSAGE, document.row, ordinal);
      if (row) sample.push(decode(row));
    }
    return sample;
  }

  async load({ tenant, collection }: Scope, { asOf }: Pick<CallOptions, "asOf"> = {}): Promise<Fusion | null> {
    return this.#load(tenant, collection, asOf).fusion;
  }

  async save({ tenant, collection }: Scope, fusion: Fusion): Promise<void> {
    await this.#database.write([{ sql: SAVE, values: [JSON.stringify(fusion), tenant, collection] }]);
  }

  /** Another one whenever something else was learned; empty before. */
  stamp({ tenant, collection }: Scope, { asOf }: Pick<CallOptions, "asOf">): string {
    return this.#load(tenant, collection, asOf).json ?? "";
  }

  /** Read again only where the file has changed, and parsed only where this has. */
  #load(tenant: string, collection: string, asOf?: number): Loaded {
    const key = JSON.stringify([tenant, collection]);
    const before = this.#loaded.get(key);
    if (before && asOf === Number.NEGATIVE_INFINITY) return before;
    const dataVersion = this.#database.dataVersion(asOf);
    if (before?.dataVersion === dataVersion) return before;
    const json = this.#database.get<{ learned: string }>(LOAD, tenant, collection)?.learned ?? null;
    const fusion = json === null ? null : before?.json === json ? before.fusion : (JSON.parse(json) as Fusion);
    const now = { dataVersion, json, fusion };
    this.#loaded.add(key, now);
    return now;
  }

  /** By id. */
  async #documents({ tenant, collection, groups }: Scope): Promise<DocumentRow[]> {
    const readable = JSON.stringify(groups);
    const documents: DocumentRow[] = [];
    for (let after = ""; ; ) {
      const page = this.#database.all<DocumentRow>(DOCUMENTS, tenant, collection, readable, after, DOCUMENTS_PAGE);
      documents.push(...page);
      const last = page.at(-1);
      if (!last || page.length < DOCUMENTS_PAGE) return documents;
      after = last.id;
      await yieldToOthers();
    }
  }
}

function decode({ title, headings, text, vector }: PassageRow): StoredPassage {
  return {
    title,
    headings: JSON.parse(headings) as string[],
    text,
    vector: vector && floats(vector),
  };
}
