import type { Fusion, FusionStore, StoredPassage } from "../../ports/fusion-store.ts";
import type { CallOptions, Scope } from "../../types.ts";
import type { Row } from "./milvus-messages.ts";
import { KINDS, ofKind, readState, type StoredRecord, stateId, stateRecord, toPassage } from "./milvus-records.ts";
import { partOf } from "./milvus-schema.ts";
import type { MilvusSearch } from "./milvus-search.ts";
import { listOf, readableBy } from "./milvus-values.ts";
import type { MilvusParts } from "./milvus-writes.ts";
import { samplePlaces } from "./sample-places.ts";

const PASSAGES_BATCH = 128;

/** What was learned about collections, in a record each. */
export class MilvusFusionStore implements FusionStore {
  readonly #parts: MilvusParts;
  readonly #search: MilvusSearch;

  constructor(parts: MilvusParts, search: MilvusSearch) {
    this.#parts = parts;
    this.#search = search;
  }

  async sample(scope: Scope, limit: number, call: CallOptions): Promise<StoredPassage[]> {
    const part = partOf(scope);
    const { collections, rows: stored } = this.#parts;
    const kind = await collections.textKind(call);
    const state = readState(await this.#record(stateId(part), call));
    if (!kind || !state) return [];
    const found = await this.#documents(scope, call);
    const documents = found.map(({ passages = 0, generation }) => ({ passages, generation }));
    const places = samplePlaces(documents, limit);
    const sample: StoredPassage[] = [];
    for (let i = 0; i < places.length; i += PASSAGES_BATCH) {
      const ids = places
        .slice(i, i + PASSAGES_BATCH)
        .map(({ document: { generation }, ordinal }) => `${generation}:${ordinal}`);
      const passages = collections.passages(state.dimensions, kind);
      const rows = await stored.byId(passages, ids, ["document", "content", "vector", "embedded"], true, call);
      for (const id of ids) {
        const row = rows.get(id);
        const passage = row && (await this.#stored(part, id, row, call));
        if (passage) sample.push(passage);
      }
    }
    return sample;
  }

  async load(scope: Scope, call: CallOptions): Promise<Fusion | null> {
    const part = partOf(scope);
    const found = await this.#record(fusionId(part), call);
    return found?.data ? (JSON.parse(found.data) as Fusion) : null;
  }

  async save(scope: Scope, learned: Fusion, call: CallOptions): Promise<void> {
    const part = partOf(scope);
    const { collections, records } = this.#parts;
    const kind = await collections.textKind(call);
    const state = readState(await this.#record(stateId(part), call));
    if (!kind || !state) return;
    const fusion = { id: fusionId(part), part, kind: KINDS.fusion, data: JSON.stringify(learned) };
    records.noteWrite(part);
    await records.put(collections.records(kind), [fusion, stateRecord(part, state)], call);
    records.noteWrite(part);
  }

  async #stored(part: string, id: string, row: Row, call: CallOptions): Promise<StoredPassage | null> {
    const content = await this.#search.wholeContent(part, id, String(row.content), call);
    if (content === null) return null;
    const { title, headings, text } = toPassage(String(row.document), 0, content);
    return { title, headings, text, vector: row.embedded === true ? Float32Array.from(row.vector as number[]) : null };
  }

  #documents(scope: Scope, call: CallOptions): Promise<StoredRecord[]> {
    const part = partOf(scope);
    const filter = `${ofKind(part, KINDS.document)} and ${readableBy(scope.groups)}`;
    const isStrong = this.#parts.records.isStrong(part);
    return this.#parts.records.findAll({ filter, fields: ["generation", "passages"], isStrong }, call);
  }

  async #record(id: string, call: CallOptions): Promise<StoredRecord | undefined> {
    const isStrong = this.#parts.records.isStrong(id.slice(0, id.indexOf(":")));
    return (await this.#parts.records.find({ filter: `id in ${listOf([id])}`, fields: ["data"], isStrong }, call))[0];
  }
}

function fusionId(part: string): string {
  return `${part}:${KINDS.fusion}`;
}
