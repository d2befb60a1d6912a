import { RaglineError } from "../errors.ts";
import type { StoredPassage } from "../ports/fusion-store.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { CallOptions, Scope } from "../types.ts";
import {
  type DocumentEntryMessage,
  documentFrom,
  entryMessage,
  type FusionMessage,
  fusionFrom,
  fusionMessage,
  type PassageInputMessage,
  passageInputFrom,
  resultMessage,
  type ScopeRequest,
  type SearchRequest,
  type Space,
  searchFrom,
  vectorFrom,
  withBytes,
} from "../wire/search.ts";
import { type Serving, unary } from "./handlers.ts";
import type { Handlers } from "./models.ts";

/** The index as a caller who works in `space` sees it; null: one who sends no vectors. */
export type IndexFor = (space: Space | null) => Promise<PassageIndex>;

interface DocumentRequest extends ScopeRequest {
  readonly documentId: string;
}

interface ReplaceRequest extends ScopeRequest {
  readonly document: DocumentEntryMessage["document"];
  readonly passages: readonly PassageInputMessage[];
  readonly readableOnly: boolean;
}

type Work<Q extends ScopeRequest, R> = (index: PassageIndex, scope: Scope, request: Q, call: CallOptions) => Promise<R>;

export function searchHandlers(indexFor: IndexFor, serving: Serving): Handlers {
  const on = <Q extends ScopeRequest, R extends object>(work: Work<Q, R>) =>
    unary(serving, async (request: Q, call) => {
      const { space, ...scope } = required(request.scope);
      return work(await indexFor(space), scope, request, call);
    });
  return {
    search: on(async (index, scope, request: SearchRequest, call) =>
      resultMessage(await index.search(scope, searchFrom(request), call)),
    ),
    version: on(async (index, scope, _, call) => ({ version: await index.version(scope, call) })),
    status: on(async (index, scope, _, call) => {
      const { embedder, ...counts } = await index.status(scope, call);
      return { ...counts, ...(embedder !== null && { embedder }) };
    }),
    warm: on(async (index, scope, _, call) => empty(await index.warm?.(scope, call))),
    settle: on(async (index, scope, _, call) => empty(await index.settle?.(scope, call))),
    ...documentHandlers(on),
    ...fusionHandlers(on),
    ...reembeddingHandlers(on),
  };
}

type On = <Q extends ScopeRequest, R extends object>(work: Work<Q, R>) => Handlers[string];

function documentHandlers(on: On): Handlers {
  return {
    replace: on(async (index, scope, request: ReplaceRequest, call) => {
      const document = documentFrom(required(request.document));
      const passages = request.passages.map(passageInputFrom);
      const [{ readableOnly }, { signal, deadline }] = [request, call];
      return empty(await index.replace(scope, document, passages, { signal, deadline, readableOnly }));
    }),
    delete: on(async (index, scope, { documentId }: DocumentRequest, call) => ({
      deleted: await index.delete(scope, documentId, call),
    })),
    has: on(async (index, scope, { documentId }: DocumentRequest, call) => ({
      there: await index.has(scope, documentId, call),
    })),
    groups: on(async (index, scope, _, call) => ({ groups: await index.groups(scope, call) })),
    find: on(async (index, scope, { documentId }: DocumentRequest, call) => {
      const found = await index.find(scope, documentId, call);
      return { document: found && entryMessage(found) };
    }),
    list: on(
      async (index, scope, request: ScopeRequest & { readonly after?: string; readonly limit: number }, call) => {
        const { after, limit } = request;
        const page = await index.list(scope, after === undefined ? { limit } : { after, limit }, call);
        return { ...page, documents: page.documents.map(entryMessage) };
      },
    ),
  };
}

/** An index without a store of its own has nothing learned, and keeps nothing. */
function fusionHandlers(on: On): Handlers {
  return {
    countPassages: on(async (index, scope, _, call) => ({
      passages: (await index.status({ ...scope, groups: [] }, call)).passages,
    })),
    samplePassages: on(async (index, scope, { limit }: ScopeRequest & { readonly limit: number }, call) => {
      const sample: readonly StoredPassage[] = (await index.fusion?.sample(scope, limit, call)) ?? [];
      return { passages: sample.map(withBytes) };
    }),
    loadFusion: on(async (index, scope, _, call) => {
      const fusion = await index.fusion?.load(scope, call);
      return { fusion: fusion ? fusionMessage(fusion) : null };
    }),
    saveFusion: on(async (index, scope, request: ScopeRequest & { readonly fusion: FusionMessage | null }, call) => {
      const fusion = fusionFrom(required(request.fusion));
      return empty(await index.fusion?.save(scope, required(fusion), call));
    }),
  };
}

function reembeddingHandlers(on: On): Handlers {
  const reembedding = ({ reembedding }: PassageIndex) => {
    if (reembedding) return reembedding;
    throw new RaglineError("request_invalid", "This index cannot be moved to another vector space.");
  };
  return {
    beginReembedding: on(async (index, scope, _, call) => {
      const { from, ...state } = await reembedding(index).begin(scope, call);
      return { ...state, ...(from !== null && { from }) };
    }),
    pendingPassages: on(async (index, scope, { limit }: ScopeRequest & { readonly limit: number }, call) => ({
      passages: await reembedding(index).pending(scope, limit, call),
    })),
    putVectors: on(async (index, scope, request: ScopeRequest & { readonly rows: readonly RowMessage[] }, call) => {
      const rows = request.rows.map((one) => ({ row: one.row, vector: vectorFrom(one) }));
      return empty(await reembedding(index).put(scope, rows, call));
    }),
    swapVectors: on(async (index, scope, _, call) => ({ swapped: await reembedding(index).swap(scope, call) })),
  };
}

interface RowMessage {
  readonly row: number;
  readonly vector?: Uint8Array;
}

function empty(_done: unknown): object {
  return {};
}

function required<T>(part: T | null): T {
  if (part !== null) return part;
  throw new RaglineError("request_invalid", "The message lacks its scope, its document or what was learned.");
}
