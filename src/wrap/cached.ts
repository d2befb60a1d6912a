import { createHash } from "node:crypto";
import { RaglineError } from "../errors.ts";
import type { Embedder, EmbedKind } from "../ports/embedder.ts";
import type { VectorCache } from "../ports/vector-cache.ts";
import type { CallOptions } from "../types.ts";
import { BoundedVectors } from "./bounded-vectors.ts";
import { closeAll } from "./close-all.ts";
import { Flight } from "./flight.ts";
import { withMethods } from "./with-methods.ts";

export interface CachedOptions {
  /** Of memory, for questions and passages half each, so that ingestion does not push out what readers ask. 0: none. */
  readonly bytesMax: number;
  /** Shared by several processes; asked for what memory does not have. */
  readonly shared?: VectorCache | undefined;
  /** Told of every call: texts that were found, and that were not. */
  readonly onLookup?: (hits: number, misses: number) => void;
}

/** After a failure the shared cache is left alone for so long. */
const OUTAGE_MS = 1000;

/**
 * The same embedder; a text that it has embedded is not embedded again. Texts are the same after Unicode normalisation (NFC),
 * without blanks around them, in questions with runs of blanks as one; that form is what is embedded. Equal texts asked for at
 * the same time are one call, which goes on as long as anybody waits for it.
 */
export function cachedEmbedder(embedder: Embedder, { bytesMax, shared, onLookup }: CachedOptions): Embedder {
  const memory = { query: new BoundedVectors(bytesMax / 2), passage: new BoundedVectors(bytesMax / 2) };
  const flights = { query: new Map<string, Flight>(), passage: new Map<string, Flight>() };
  const remote = shared && new SharedVectors(shared, embedder);

  /** Fetches or embeds texts that nobody is after yet. */
  function fetch(texts: readonly string[], kind: EmbedKind, call: CallOptions): Flight {
    const flight = new Flight(call, async (flown) => {
      const vectors = new Map<string, Float32Array>();
      for (const [text, vector] of (await remote?.find(texts, kind, flown)) ?? []) vectors.set(text, vector);
      const missing = texts.filter((text) => !vectors.has(text));
      const embedded = missing.length === 0 ? [] : await embedder.embed(missing, kind, flown);
      for (const [i, text] of missing.entries()) vectors.set(text, vectorAt(embedded, i));
      if (missing.length > 0) void remote?.put(missing, kind, embedded);
      for (const [text, vector] of vectors) memory[kind].put(text, vector);
      return vectors;
    });
    for (const text of texts) flights[kind].set(text, flight);
    flight.whenOver(() => {
      for (const text of texts) if (flights[kind].get(text) === flight) flights[kind].delete(text);
    });
    return flight;
  }

  return withMethods(embedder, {
    async embed(texts, kind, call) {
      const same = texts.map((text) => normalized(text, kind));
      const found = same.map((text) => memory[kind].find(text));
      const hits = found.reduce((count, vector) => (vector ? count + 1 : count), 0);
      onLookup?.(hits, found.length - hits);
      if (found.every((vector) => vector !== null)) return found;
      const missing = [...new Set(same.filter((_, i) => !found[i]))];
      const unasked = missing.filter((text) => !flights[kind].has(text));
      const joined = new Set(missing.flatMap((text) => flights[kind].get(text) ?? []));
      if (unasked.length > 0) joined.add(fetch(unasked, kind, call));
      const landed = await Promise.all([...joined].map((flight) => flight.join(call)));
      const vectors = new Map(landed.flatMap((one) => [...one]));
      return same.map((text, i) => found[i] ?? vectorAt([vectors.get(text)], 0).slice());
    },
    close: () => closeAll(shared ? [shared, embedder] : [embedder]),
  });
}

/** In a passage blanks may be lines of a table or of code, in a question they are blanks. */
function normalized(text: string, kind: EmbedKind): string {
  const composed = text.normalize("NFC").trim();
  return kind === "query" ? composed.replace(/\s+/g, " ") : composed;
}

function vectorAt(vectors: readonly (Float32Array | undefined)[], i: number): Float32Array {
  const vector = vectors[i];
  if (!vector) throw new RaglineError("dependency_failed", "The embedder gave fewer vectors than texts.");
  return vector;
}

/** A cache that others share, as this embedder sees it: its failures are misses. */
class SharedVectors {
  readonly #cache: VectorCache;
  readonly #embedder: Embedder;
  #awayUntil = 0;

  constructor(cache: VectorCache, embedder: Embedder) {
    this.#cache = cache;
    this.#embedder = embedder;
  }

  async find(texts: readonly string[], kind: EmbedKind, call: CallOptions): Promise<Map<string, Float32Array>> {
    const found = new Map<string, Float32Array>();
    if (performance.now() < this.#awayUntil) return found;
    try {
      const vectors = await this.#cache.find(this.#keys(texts, kind), call);
      for (const [i, text] of texts.entries()) {
        const vector = vectors[i];
        if (vector?.length === this.#embedder.dimensions) found.set(text, vector);
      }
    } catch {
      this.#awayUntil = performance.now() + OUTAGE_MS;
    }
    return found;
  }

  /** Nobody waits for it. */
  put(texts: readonly string[], kind: EmbedKind, vectors: readonly Float32Array[]): void {
    if (performance.now() < this.#awayUntil) return;
    const keys = this.#keys(texts, kind);
    const entries = vectors.map((vector, i) => [keys[i] ?? "", vector] as const);
    const put = this.#cache.put(entries, { signal: new AbortController().signal });
    put.catch(() => {
      this.#awayUntil = performance.now() + OUTAGE_MS;
    });
  }

  #keys(texts: readonly string[], kind: EmbedKind): string[] {
    const of = (text: string) => JSON.stringify([this.#embedder.model, kind, text]);
    return texts.map((text) => createHash("sha256").update(of(text)).digest("base64url"));
  }
}
