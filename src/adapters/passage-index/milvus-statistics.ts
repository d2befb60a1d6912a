import { randomUUID } from "node:crypto";
import { Deadlines } from "../../deadlines.ts";
import type { CallOptions } from "../../types.ts";
import { KINDS, type MilvusRecords, ofKind, type StoredRecord } from "./milvus-records.ts";
import type { TermStatistics } from "./milvus-terms.ts";
import { Remembered } from "./remembered.ts";

/** By how much a batch of writes changes what is counted. */
export interface CountChange {
  passages: number;
  tokens: number;
  readonly frequencies: Map<number, number>;
}

/** One record's share of the counts. */
interface Counted extends CountChange {
  readonly id: string;
  readonly at: number;
  /** Counts of many batches in one record, instead of those that it names. */
  readonly isBase: boolean;
  readonly covers: readonly string[];
}

interface CountedData {
  readonly passages: number;
  readonly tokens: number;
  readonly isBase?: boolean;
  readonly covers?: readonly string[];
  /** Pairs of hash and count, 32 bits each, in base64. */
  readonly counts: string;
}

interface Collected extends CountChange {
  readonly counted: Map<string, Counted>;
  refreshedAt: number;
  refreshing: Promise<void> | null;
}

/** Remembered. */
const COLLECTIONS_MAX = 1000;
/** Weights may be so old where another process writes. */
const REFRESH_MS = 5000;
/** What this process has written itself may be missing from what it reads. */
const OWN_MS = 60_000;
/** 6,000 pairs are 64,000 characters. */
const PAIRS_A_RECORD = 5500;
const COVERS_MAX = 600;
const CLAIM_MS = 60_000;
const FETCHED_AT_ONCE = 32;
const BACKGROUND: CallOptions = { signal: new AbortController().signal };

/**
 * How many passages hold each word: what a question's words weigh. Every batch of writes adds a record of what it changes; a process
 * holds their sum, and looks for new ones now and then. A result never depends on it, its order does.
 */
export class MilvusStatistics {
  readonly #records: MilvusRecords;
  readonly #collected = new Remembered<string, Collected>({ weightMax: COLLECTIONS_MAX, weightOf: () => 1 });
  readonly #deadlines = new Deadlines("Milvus took too long.");

  constructor(records: MilvusRecords) {
    this.#records = records;
  }

  /** @throws RaglineError `dependency_failed`, `dependency_timeout`: they were never read, and cannot be, or not in time */
  async of(part: string, { signal, deadline = Number.POSITIVE_INFINITY }: CallOptions): Promise<TermStatistics> {
    const collected = this.#collected.get(part) ?? nothingCollected();
    if (!this.#collected.get(part)) this.#collected.add(part, collected);
    const isFirst = collected.refreshedAt === Number.NEGATIVE_INFINITY;
    if (performance.now() - collected.refreshedAt > REFRESH_MS) {
      collected.refreshing ??= this.#refresh(part, collected, BACKGROUND).finally(() => {
        collected.refreshing = null;
      });
      // Others may wait for it when this caller has left.
      if (isFirst) await this.#deadlines.before(collected.refreshing, signal, deadline);
      else collected.refreshing.catch(() => undefined);
    }
    return collected;
  }

  /** Records of a change, to be stored with what it is a change of; and what to do once they are. */
  prepare(
    part: string,
    change: CountChange,
  ): { readonly records: readonly StoredRecord[]; readonly noted: () => void } {
    const records = toRecords(part, change, {});
    const noted = () => {
      const collected = this.#collected.get(part);
      for (const record of records) if (collected) add(collected, toCounted(record));
    };
    return { records, noted };
  }

  /** Puts many batches' records together, where nobody else does so at this moment. True: there are more to put together. */
  async compact(part: string, records: string, batchesMax: number, call: CallOptions): Promise<boolean> {
    const batches = [...(this.#collected.get(part)?.counted.values() ?? [])].filter(({ isBase }) => !isBase);
    if (batches.length <= batchesMax) return false;
    const claim = { id: `${part}:${KINDS.claim}:${randomUUID()}`, part, kind: KINDS.claim, at: Date.now() };
    await this.#records.put(records, [claim], call);
    const ended = [claim.id];
    try {
      const query = { filter: ofKind(part, KINDS.claim), fields: ["at"], isStrong: true } as const;
      for (const { id, at = 0 } of await this.#records.find(query, call)) {
        if (id === claim.id) continue;
        if (at >= Date.now() - CLAIM_MS) return false;
        ended.push(id);
      }
      const collected = nothingCollected();
      await this.#refresh(part, collected, call, true);
      const all = [...collected.counted.keys()];
      const ids = all.slice(0, COVERS_MAX);
      const sum: CountChange = { passages: 0, tokens: 0, frequencies: new Map() };
      for (const id of ids) addChange(sum, collected.counted.get(id), 1);
      const together = toRecords(part, sum, { isBase: true, covers: ids });
      await this.#records.put(records, together, call);
      await this.#records.remove(records, ids, call);
      return all.length > ids.length && together.length < ids.length / 2;
    } finally {
      await this.#records.remove(records, ended, call);
    }
  }

  async #refresh(part: string, collected: Collected, call: CallOptions, isStrong = false): Promise<void> {
    const strong = isStrong || this.#records.isStrong(part);
    const filter = ofKind(part, KINDS.words);
    const listed = new Set(
      (await this.#records.findAll({ filter, fields: ["id"], isStrong: strong }, call)).map(({ id }) => id),
    );
    const missing = [...listed].filter((id) => !collected.counted.has(id));
    for (let i = 0; i < missing.length; i += FETCHED_AT_ONCE) {
      const ids = missing.slice(i, i + FETCHED_AT_ONCE);
      const query = { filter: `id in ["${ids.join('","')}"]`, fields: ["at", "data"], isStrong: strong } as const;
      for (const record of await this.#records.find(query, call)) add(collected, toCounted(record));
    }
    const covered = new Set([...collected.counted.values()].flatMap(({ covers }) => covers));
    const young = Date.now() - OWN_MS;
    for (const [id, counted] of collected.counted) {
      if (!covered.has(id) && (listed.has(id) || counted.at > young)) continue;
      collected.counted.delete(id);
      addChange(collected, counted, -1);
    }
    collected.refreshedAt = performance.now();
  }
}

function nothingCollected(): Collected {
  return {
    passages: 0,
    tokens: 0,
    frequencies: new Map(),
    counted: new Map(),
    refreshedAt: Number.NEGATIVE_INFINITY,
    refreshing: null,
  };
}

function add(collected: Collected, counted: Counted): void {
  if (collected.counted.has(counted.id)) return;
  collected.counted.set(counted.id, counted);
  addChange(collected, counted, 1);
}

function addChange(sum: CountChange, change: CountChange | undefined, sign: 1 | -1): void {
  if (!change) return;
  sum.passages += sign * change.passages;
  sum.tokens += sign * change.tokens;
  for (const [hash, count] of change.frequencies) {
    const now = (sum.frequencies.get(hash) ?? 0) + sign * count;
    if (now === 0) sum.frequencies.delete(hash);
    else sum.frequencies.set(hash, now);
  }
}

function toRecords(
  part: string,
  { passages, tokens, frequencies }: CountChange,
  more: Partial<CountedData>,
): StoredRecord[] {
  const pairs = [...frequencies].filter(([, count]) => count !== 0);
  const at = Date.now();
  const records: StoredRecord[] = [];
  for (let i = 0; i === 0 || i < pairs.length; i += PAIRS_A_RECORD) {
    const some = Int32Array.from(pairs.slice(i, i + PAIRS_A_RECORD).flat());
    const counts = Buffer.from(some.buffer).toString("base64");
    const { isBase = false, covers = [] } = more;
    const totals = i === 0 ? { passages, tokens } : { passages: 0, tokens: 0 };
    // A record of its own: names of records take room too.
    if (i === 0 && covers.length > 0) {
      const data = JSON.stringify({ passages: 0, tokens: 0, isBase, covers, counts: "" } satisfies CountedData);
      records.push({ id: `${part}:${KINDS.words}:${randomUUID()}`, part, kind: KINDS.words, at, data });
    }
    const data = JSON.stringify({ ...totals, isBase, counts } satisfies CountedData);
    records.push({ id: `${part}:${KINDS.words}:${randomUUID()}`, part, kind: KINDS.words, at, data });
  }
  return records;
}

function toCounted({ id, at = 0, data = "" }: StoredRecord): Counted {
  const { passages, tokens, isBase = false, covers = [], counts } = JSON.parse(data) as CountedData;
  const bytes = Buffer.from(counts, "base64");
  const frequencies = new Map<number, number>();
  for (let i = 0; i + 8 <= bytes.length; i += 8) frequencies.set(bytes.readInt32LE(i), bytes.readInt32LE(i + 4));
  return { id, at, passages, tokens, isBase, covers, frequencies };
}
