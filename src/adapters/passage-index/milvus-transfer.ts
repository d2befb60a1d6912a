import { RaglineError } from "../../errors.ts";
import type { StoredDocument, Transfer } from "../../ports/transfer.ts";
import type { CallOptions, PassageInput, Scope } from "../../types.ts";
import { documentIdOf, KINDS, readState, type StoredRecord, stateId, toEntry } from "./milvus-records.ts";
import { passageIds } from "./milvus-rows.ts";
import { partOf } from "./milvus-schema.ts";
import type { MilvusSearch } from "./milvus-search.ts";
import { listOf, readableBy, tenantMark } from "./milvus-values.ts";
import type { MilvusParts } from "./milvus-writes.ts";

const PASSAGES_BATCH = 128;
/** A version that is replaced while it is read stays for 90 s; one that went all the same is read again. */
const READ_ATTEMPTS = 5;

export function createMilvusTransfer(
  { collections, records, rows: stored }: MilvusParts,
  search: MilvusSearch,
): Transfer {
  async function passagesOf(
    part: string,
    { generation = "", passages: size = 0 }: StoredRecord,
    collection: string,
    isStrong: boolean,
    call: CallOptions,
  ): Promise<PassageInput[] | null> {
    const ids = passageIds(generation, size);
    const passages: PassageInput[] = [];
    for (let i = 0; i < size; i += PASSAGES_BATCH) {
      const some = ids.slice(i, i + PASSAGES_BATCH);
      const rows = await stored.byId(collection, some, ["content", "embedded", "vector"], isStrong, call);
      for (const id of some) {
        const row = rows.get(id);
        if (!row) return null;
        const content = await search.wholeContent(part, id, String(row.content), call);
        if (content === null) return null;
        const vector = row.embedded === true ? Float32Array.from(row.vector as readonly number[]) : null;
        passages.push(passage(content, vector));
      }
    }
    return passages;
  }

  async function found(scope: Scope, documentId: string, isStrong: boolean, call: CallOptions) {
    const part = partOf(scope);
    const [stateOf, documentOf] = [stateId(part), documentIdOf(part, documentId)];
    const filter = `id == "${stateOf}" or (id == "${documentOf}" and ${readableBy(scope.groups)})`;
    const fields = ["generation", "passages", "data"] as const;
    const both = await records.find({ filter, fields, isStrong }, call);
    const state = readState(both.find(({ id }) => id === stateOf));
    return { state, record: both.find(({ id }) => id === documentOf) };
  }

  return {
    // What is written at once shares its requests.
    writesAtOnce: 64,
    async collections(tenant, call) {
      const filter = `kind == "${KINDS.state}" and array_contains_any(meta, ${listOf([tenantMark(tenant)])})`;
      const states = await records.findAll({ filter, fields: ["data"], isStrong: true }, call);
      return states
        .flatMap((record) => readState(record)?.collection ?? [])
        .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    },

    async read(scope, documentId, call): Promise<StoredDocument | null> {
      const part = partOf(scope);
      const kind = await collections.textKind(call);
      if (!kind) return null;
      let isStrong = records.isStrong(part);
      for (let attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
        const { state, record } = await found(scope, documentId, isStrong, call);
        if (!state || !record) return null;
        const collection = collections.passages(state.dimensions, kind);
        const passages = await passagesOf(part, record, collection, isStrong, call);
        if (passages) return { document: toEntry(record), passages };
        isStrong = true;
      }
      throw new RaglineError("dependency_failed", "The document changed too often to be read.");
    },
  };
}

function passage(content: string, vector: Float32Array | null): PassageInput {
  const { text, headings, tokens, page, pageEnd } = JSON.parse(content) as PassageInput;
  return {
    text,
    headings,
    tokens,
    vector,
    ...(page !== undefined && { page }),
    ...(pageEnd !== undefined && { pageEnd }),
  };
}
