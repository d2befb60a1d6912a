import type { CallOptions } from "../../types.ts";
import { KINDS, ofKind } from "./milvus-records.ts";
import { type GenerationData, passageIds } from "./milvus-rows.ts";
import type { TextKind } from "./milvus-schema.ts";
import { listOf } from "./milvus-values.ts";
import type { MilvusParts } from "./milvus-writes.ts";

export interface SweepTuning {
  /** A write that has shown no life for so long is dead; what is over stays for so long, for searches that began before. */
  readonly graceMs: number;
  /** Between two sweeps. */
  readonly pauseMs: number;
  /** Records of counts that are put together when there are more. */
  readonly batchesMax: number;
}

export const SWEEPING: SweepTuning = { graceMs: 90_000, pauseMs: 30_000, batchesMax: 64 };
/** Of one turn. */
const GENERATIONS_MAX = 500;
const REMOVED_AT_ONCE = 5000;
const BACKGROUND: CallOptions = { signal: new AbortController().signal };

/** Deletes what versions of documents have left behind that are over, or were never finished, and puts counts together. */
export class MilvusSweep {
  readonly #parts: MilvusParts;
  readonly #dimensions: number;
  readonly #tuning: SweepTuning;
  #sweeping: Promise<void> | null = null;
  #sweptAt = performance.now();

  constructor(parts: MilvusParts, dimensions: number, tuning: SweepTuning) {
    this.#parts = parts;
    this.#dimensions = dimensions;
    this.#tuning = tuning;
  }

  /** Resolves when nothing is being deleted. */
  async settled(): Promise<void> {
    await this.#sweeping;
  }

  /** Beside everything else, now and then: deletes what is long over. What is not done the next one does. */
  now(part: string): void {
    if (this.#sweeping || performance.now() - this.#sweptAt < this.#tuning.pauseMs) return;
    this.#sweptAt = performance.now();
    this.#sweeping = this.#swept(part)
      .catch(() => undefined)
      .finally(() => {
        this.#sweeping = null;
      });
  }

  /** Until nothing is left: whoever writes faster than one turn deletes would leave more with every turn. */
  async #swept(part: string): Promise<void> {
    const { kind, records } = await this.#parts.collections.ensure(this.#dimensions, BACKGROUND);
    while ((await this.#sweepGenerations(part, kind, records)) === GENERATIONS_MAX);
    while (await this.#parts.statistics.compact(part, records, this.#tuning.batchesMax, BACKGROUND));
  }

  /** Returns how many generations were looked at. */
  async #sweepGenerations(part: string, kind: TextKind, records: string): Promise<number> {
    const filter = `${ofKind(part, KINDS.generation)} and at < ${Date.now() - this.#tuning.graceMs}`;
    const query = { filter, fields: ["generation", "data"], isStrong: true, limit: GENERATIONS_MAX } as const;
    const ledger = (await this.#parts.records.find(query, BACKGROUND)).map(({ id, generation = "", data = "" }) => ({
      id,
      generation,
      ...(JSON.parse(data) as GenerationData),
    }));
    if (ledger.length === 0) return 0;
    const ids = ledger.map(({ document }) => `${part}:${KINDS.document}:${document}`);
    const documents = { filter: `id in ${listOf([...new Set(ids)])}`, fields: ["generation"], isStrong: true } as const;
    const current = new Set(
      (await this.#parts.records.find(documents, BACKGROUND)).map(({ generation }) => generation),
    );
    const over = new Map(ledger.map((one) => [one.generation, one]));
    for (const generation of current) if (generation !== undefined) over.delete(generation);
    const passages = new Map<string, string[]>();
    for (const { generation, dimensions, passages: size } of over.values()) {
      const name = this.#parts.collections.passages(dimensions, kind);
      const own = passages.get(name) ?? [];
      own.push(...passageIds(generation, size));
      passages.set(name, own);
    }
    for (const [name, all] of passages) await this.#remove(name, all);
    if (over.size > 0) await this.#removeTexts(part, records, [...over.keys()]);
    await this.#remove(
      records,
      ledger.map(({ id }) => id),
    );
    return ledger.length;
  }

  async #remove(collection: string, ids: readonly string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += REMOVED_AT_ONCE) {
      await this.#parts.records.remove(collection, ids.slice(i, i + REMOVED_AT_ONCE), BACKGROUND);
    }
  }

  async #removeTexts(part: string, records: string, generations: readonly string[]): Promise<void> {
    const filter = `${ofKind(part, KINDS.text)} and generation in ${listOf(generations)}`;
    const texts = await this.#parts.records.findAll({ filter, fields: ["id"], isStrong: true }, BACKGROUND);
    await this.#remove(
      records,
      texts.map(({ id }) => id),
    );
  }
}
