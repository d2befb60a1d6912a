import type { MilvusRecords } from "./milvus-records.ts";
import { Remembered } from "./remembered.ts";

/** A collection's state, as it was read: `version` changes with every write. */
interface SeenState {
  readonly version: string;
  /** When it was written, in milliseconds since 1970, by the clock of who wrote it. */
  readonly writtenAt: number;
  /** When it was asked for, by `performance.now()`. */
  readonly readAt: number;
}

interface Kept {
  readonly version: string;
  readonly value: unknown;
  readonly bytes: number;
}

/** A session takes a state for the collection's for so long, beside what Milvus itself may be behind. */
const RECENT_MS = 1000;
/** Of a version that is younger not all may be seen yet: twice Milvus's own bound of staleness. */
const SETTLED_MS = 10_000;
const STATES_MAX = 10_000;
const KEPT_BYTES_MAX = 32_000_000;
const VALUE_BYTES = 500;

/** What is true of a collection as long as its state is of one version, and is not asked for again until then. */
export class MilvusVersions {
  readonly #records: MilvusRecords;
  readonly #states = new Remembered<string, SeenState>({ weightMax: STATES_MAX, weightOf: () => 1 });
  readonly #kept = new Remembered<string, Kept>({ weightMax: KEPT_BYTES_MAX, weightOf: ({ bytes }) => bytes });

  constructor(records: MilvusRecords) {
    this.#records = records;
  }

  /** Begins to read a collection, as it is taken to be. */
  reading(part: string): MilvusReading {
    return new MilvusReading(this.#states.get(part)?.version ?? null, this.#kept);
  }

  /** Begins to read it without any memory, and without leaving any. */
  afresh(): MilvusReading {
    return new MilvusReading(null, null);
  }

  noteState(part: string, version: string, writtenAt: number, readAt: number): void {
    const before = this.#states.get(part);
    if (before?.version === version && before.readAt > readAt) return;
    this.#states.add(part, { version, writtenAt, readAt });
  }

  /** Whether the collection may be taken to be of this version without asking. */
  isRecent(part: string, version: string | null): version is string {
    const seen = this.#states.get(part);
    if (seen === undefined || seen.version !== version || this.#records.isStrong(part)) return false;
    return performance.now() - seen.readAt < RECENT_MS;
  }

  /** Whether everything that is of the collection's version is seen by whoever reads, also what was true a while ago. */
  isSettled(part: string): boolean {
    const { writtenAt } = this.#states.get(part) ?? { writtenAt: Number.POSITIVE_INFINITY };
    return Date.now() - writtenAt > SETTLED_MS;
  }
}

/** What one search reads of a collection that it takes to be of a version; what it read anew is to be kept once the version is read again. */
export class MilvusReading {
  /** Null: unknown. */
  readonly version: string | null;
  readonly #kept: Remembered<string, Kept> | null;
  readonly #learned: ((version: string) => void)[] = [];
  #isRecalled = false;
  #isForgone = false;

  constructor(version: string | null, kept: Remembered<string, Kept> | null) {
    this.version = version;
    this.#kept = kept;
  }

  /** Whether something was asked for that is not known of the version. */
  get isNew(): boolean {
    return this.#learned.length > 0;
  }

  /** Whether what was read is of another version. */
  isWrong(version: string): boolean {
    return this.#isRecalled && version !== this.version;
  }

  async value<T>(key: string, read: () => Promise<T>, bytesOf: (value: T) => number = () => VALUE_BYTES): Promise<T> {
    const kept = this.#kept?.get(key);
    if (kept && kept.version === this.version) {
      this.#isRecalled = true;
      return kept.value as T;
    }
    const value = await read();
    const bytes = bytesOf(value) + key.length;
    this.learn((version) => this.#kept?.add(key, { version, value, bytes }));
    return value;
  }

  noteRecalled(): void {
    this.#isRecalled = true;
  }

  learn(keep: (version: string) => void): void {
    this.#learned.push(keep);
  }

  /** Nothing of it is to be kept: something was not there that may be again, as after a restart. */
  forgo(): void {
    this.#isForgone = true;
  }

  /** What was read is of the version if the collection was of it before it was read, and after: no version comes twice. */
  keep(version: string): void {
    if (version === this.version && !this.#isForgone) for (const keep of this.#learned) keep(version);
  }
}
