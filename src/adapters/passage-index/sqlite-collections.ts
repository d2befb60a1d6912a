import { totalmem } from "node:os";
import type { Scope } from "../../types.ts";
import type { LiveCollection } from "./sqlite-live.ts";

/** The other half is for answers, for documents that are being read, and for the file's pages. */
const BYTES_MAX = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY) / 2;

interface Held {
  readonly live: LiveCollection;
  uses: number;
  bytes: number;
}

/**
 * The collections that are held in memory, together up to a number of bytes: those not searched for longest go first, and come back from
 * the file when they are asked for. The one searched last stays however large it is, and nothing goes while it is in use.
 */
export class SqliteCollections {
  /** The one searched last is the last. */
  readonly #held = new Map<string, Held>();
  readonly #open: (scope: Scope) => LiveCollection;
  readonly #bytesMax: number;
  #bytes = 0;

  /** `bytesMax`: default half of the machine's memory, or of what this process may have of it. */
  constructor(open: (scope: Scope) => LiveCollection, bytesMax = BYTES_MAX) {
    this.#open = open;
    this.#bytesMax = bytesMax;
  }

  has(scope: Scope): boolean {
    return this.#held.has(keyOf(scope));
  }

  /** What a search needs is loaded. */
  async search<T>(scope: Scope, use: (live: LiveCollection) => Promise<T>): Promise<T> {
    const key = keyOf(scope);
    const held = this.#held.get(key) ?? { live: this.#open(scope), uses: 0, bytes: 0 };
    this.#held.delete(key);
    this.#held.set(key, held);
    return this.#use(key, held, use);
  }

  /** Undefined where it is not held: its first search takes over what is in the file. */
  async ifHeld<T>(scope: Scope, use: (live: LiveCollection) => Promise<T>): Promise<T | undefined> {
    const key = keyOf(scope);
    const held = this.#held.get(key);
    return held && this.#use(key, held, use);
  }

  async close(): Promise<void> {
    for (const { live } of this.#held.values()) await live.close();
  }

  async #use<T>(key: string, held: Held, use: (live: LiveCollection) => Promise<T>): Promise<T> {
    held.uses++;
    try {
      return await use(held.live);
    } finally {
      held.uses--;
      this.#weigh(held);
      // Anybody may name any collection.
      if (held.uses === 0 && held.live.isEmpty) this.#drop(key, held);
      if (this.#bytes > this.#bytesMax) this.#makeRoom();
    }
  }

  #weigh(held: Held): void {
    const { bytes } = held.live;
    this.#bytes += bytes - held.bytes;
    held.bytes = bytes;
  }

  #makeRoom(): void {
    let left = this.#held.size;
    for (const [key, held] of this.#held) {
      if (--left === 0 || this.#bytes <= this.#bytesMax) return;
      if (held.uses === 0) this.#drop(key, held);
    }
  }

  #drop(key: string, held: Held): void {
    this.#held.delete(key);
    this.#bytes -= held.bytes;
    void held.live.close().catch(() => undefined);
  }
}

function keyOf({ tenant, collection }: Scope): string {
  return JSON.stringify([tenant, collection]);
}
