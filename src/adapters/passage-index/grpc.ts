import { RaglineError } from "../../errors.ts";
import type { DocumentPage, IndexStatus, PassageIndex } from "../../ports/passage-index.ts";
import type { CallOptions, DocumentEntry, Scope } from "../../types.ts";
import { methodOf, STAGE_SERVICES } from "../../wire/definitions.ts";
import {
  type DocumentEntryMessage,
  documentMessage,
  entryFrom,
  resultFrom,
  type SearchResponse,
  type Space,
  searchMessage,
  withBytes,
} from "../../wire/search.ts";
import type { GrpcOptions } from "../grpc/channel.ts";
import { type OpenedEndpoints, openEndpoints } from "../grpc/open.ts";
import { remoteFusion } from "./grpc-fusion.ts";
import { remoteReembedding } from "./grpc-reembedding.ts";

/** One call of the stage for a scope. */
export type Send = <R>(method: string, scope: Scope, fields: object, call: CallOptions) => Promise<R>;

/** An index for each endpoint of `ragline stage search`, used in the vector space of `embedder`. */
export function createGrpcIndexes(options: GrpcOptions, embedder: Space): Promise<OpenedEndpoints<PassageIndex>> {
  return openEndpoints(options, false, ({ endpoint, siblings, close, warm }) => {
    const send: Send = (method, scope, fields, call) => {
      const { model, dimensions } = embedder;
      const space = dimensions > 0 ? { model, dimensions } : null;
      const request = { scope: { ...scope, space }, ...fields };
      return endpoint.unary(methodOf(STAGE_SERVICES.search, method), request, call);
    };
    return {
      search: async (scope, query, call) =>
        resultFrom(await send<SearchResponse>("Search", scope, searchMessage(query), call)),
      version: async (scope, call) => (await send<{ version: string }>("Version", scope, {}, call)).version,
      status: async (scope, call) => {
        const { documents, passages, embedder } = await send<StatusResponse>("Status", scope, {}, call);
        return { documents, passages, embedder: embedder ?? null };
      },
      async warm(scope, call) {
        await warm(call);
        await send("Warm", scope, {}, call);
      },
      settle: async (scope, call) => void (await send("Settle", scope, {}, call)),
      ...documents(send),
      fusion: remoteFusion(send),
      get reembedding() {
        return siblings.agreed?.reembeds === false ? undefined : remoteReembedding(send);
      },
      close,
    };
  });
}

type StatusResponse = Omit<IndexStatus, "embedder"> & { readonly embedder?: string };

function documents(send: Send): Pick<PassageIndex, "replace" | "delete" | "has" | "groups" | "find" | "list"> {
  return {
    async replace(scope, document, passages, call) {
      const { readableOnly = false } = call;
      const message = { document: documentMessage(document), passages: passages.map(withBytes), readableOnly };
      await send("Replace", scope, message, call);
    },
    delete: async (scope, documentId, call) =>
      (await send<{ deleted: boolean }>("Delete", scope, { documentId }, call)).deleted,
    has: async (scope, documentId, call) => (await send<{ there: boolean }>("Has", scope, { documentId }, call)).there,
    groups: async (scope, call) => (await send<{ groups: string[] }>("Groups", scope, {}, call)).groups,
    async find(scope, documentId, call) {
      const { document } = await send<{ document: DocumentEntryMessage | null }>("Find", scope, { documentId }, call);
      return document && entryFrom(document);
    },
    async list(scope, page, call): Promise<DocumentPage> {
      const found = await send<{ documents: readonly DocumentEntryMessage[]; next?: string }>(
        "List",
        scope,
        page,
        call,
      );
      const documents = found.documents.map(wholeEntry);
      return found.next === undefined ? { documents } : { documents, next: found.next };
    },
  };
}

function wholeEntry(message: DocumentEntryMessage): DocumentEntry {
  const entry = entryFrom(message);
  if (entry) return entry;
  throw new RaglineError("dependency_failed", "The search stage's answer cannot be used.", { retryable: false });
}
