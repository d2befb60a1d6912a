import { RaglineError } from "../../src/errors.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { Document, DocumentEntry, PassageInput, Scope } from "../../src/types.ts";

export interface StoredDocument extends DocumentEntry {
  readonly stored: readonly PassageInput[];
}

/** A passage index that only remembers, with the visibility rule of the real ones. */
export function memoryIndex() {
  const documents = new Map<string, StoredDocument>();
  const log: string[] = [];
  const active = { now: 0, most: 0 };
  const mayRead = ({ groups }: Document, scope: Scope) =>
    groups.length === 0 || groups.some((group) => scope.groups.includes(group));
  const index: PassageIndex = {
    async replace(_, document, passages, { signal }) {
      active.most = Math.max(active.most, ++active.now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      active.now--;
      signal.throwIfAborted();
      if (document.metadata.refuse) throw new RaglineError("request_invalid", "metadata.refuse: not here");
      log.push(document.id);
      documents.set(document.id, { ...document, stored: passages, passages: passages.length, indexedAt: "" });
    },
    has: async (_, id) => documents.has(id),
    groups: async () => [...new Set([...documents.values()].flatMap(({ groups }) => groups))],
    async find(scope, id) {
      const document = documents.get(id);
      return document && mayRead(document, scope) ? document : null;
    },
    async delete(scope, id) {
      const document = documents.get(id);
      return document !== undefined && mayRead(document, scope) && documents.delete(id);
    },
    async list(scope, { after = "", limit }) {
      const all = [...documents.values()].filter((document) => document.id > after && mayRead(document, scope));
      const page = all.sort((a, b) => (a.id < b.id ? -1 : 1)).slice(0, limit);
      const last = page.at(-1);
      return { documents: page, ...(all.length > limit && last && { next: last.id }) };
    },
    search: () => Promise.reject(new Error("not used")),
    version: () => Promise.reject(new Error("not used")),
    status: async () => ({ documents: documents.size, passages: 0, embedder: documents.size > 0 ? "test/2" : null }),
  };
  return { index, documents, log, active };
}

/** Remembers the batches it was given; a text with `없음` has nothing to embed. */
export function recordingEmbedder(embed?: () => Promise<Float32Array[]>) {
  const batches: string[][] = [];
  const embedder: Embedder = {
    model: "test/2",
    dimensions: 2,
    async embed(texts) {
      batches.push([...texts]);
      await new Promise((resolve) => setTimeout(resolve, 2));
      return embed ? embed() : texts.map((text) => Float32Array.of(text.includes("없음") ? 0 : 1, 0));
    },
  };
  return { embedder, batches };
}
