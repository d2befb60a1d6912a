import { RaglineError } from "../errors.ts";
import type { PassageIndex } from "../ports/passage-index.ts";
import type { StoredDocument, Transfer } from "../ports/transfer.ts";
import type { CallOptions, DocumentEntry, Scope } from "../types.ts";
import type { Calls } from "./calls.ts";

const READ_TIMEOUT_MS = 60_000;
const WRITE_TIMEOUT_MS = 120_000;
const PAGE = 500;

type Work<T> = (call: CallOptions) => Promise<T>;

/** One end of a migration: an index, and the scope that reads all of the collection there. */
export class Side {
  readonly name: string;
  readonly index: PassageIndex;
  readonly #transfer: Transfer;
  readonly #calls: Calls;
  readonly #collection: Omit<Scope, "groups">;
  #groups: readonly string[] = [];

  /** @throws RaglineError `config_invalid`: the index cannot do it */
  constructor(name: string, index: PassageIndex, collection: Omit<Scope, "groups">, calls: Calls) {
    if (!index.transfer) {
      throw new RaglineError(
        "config_invalid",
        `${name}: a collection can be moved neither from such an index nor to it`,
      );
    }
    this.name = name;
    this.index = index;
    this.#transfer = index.transfer;
    this.#collection = collection;
    this.#calls = calls;
  }

  /** Documents at once. */
  get writesAtOnce(): number {
    return this.#transfer.writesAtOnce;
  }

  get scope(): Scope {
    return { ...this.#collection, groups: this.#groups };
  }

  /** The same side, its calls over when `signal` aborts. */
  until(signal: AbortSignal): Side {
    const side = new Side(this.name, this.index, this.#collection, this.#calls.until(signal));
    side.#groups = this.#groups;
    return side;
  }

  /** Looks which groups there are now. */
  async look(): Promise<void> {
    this.#groups = await this.#read((call) => this.index.groups(this.scope, call));
  }

  /** Every document that was there all the while, by id in the order of UTF-8 bytes. */
  async *entries(): AsyncGenerator<DocumentEntry, null> {
    for (let after: string | undefined; ; ) {
      const page = { limit: PAGE, ...(after !== undefined && { after }) };
      const { documents, next } = await this.#read((call) => this.index.list(this.scope, page, call));
      yield* documents;
      if (next === undefined) return null;
      after = next;
    }
  }

  status() {
    return this.#read((call) => this.index.status(this.scope, call));
  }

  version(): Promise<string> {
    return this.#read((call) => this.index.version(this.scope, call));
  }

  find(id: string): Promise<DocumentEntry | null> {
    return this.#read((call) => this.index.find(this.scope, id, call));
  }

  read(id: string): Promise<StoredDocument | null> {
    return this.#read((call) => this.#transfer.read(this.scope, id, call));
  }

  /** As it is, with the time at which it was indexed. */
  async store({ document: { passages: _, ...document }, passages }: StoredDocument): Promise<void> {
    await this.#write((call) => this.index.replace(this.scope, document, passages, call));
  }

  delete(id: string): Promise<boolean> {
    return this.#write((call) => this.index.delete(this.scope, id, call));
  }

  call<T>(limitMs: number, work: Work<T>): Promise<T> {
    return this.#calls.run(this.name, limitMs, work);
  }

  #read<T>(work: Work<T>): Promise<T> {
    return this.call(READ_TIMEOUT_MS, work);
  }

  #write<T>(work: Work<T>): Promise<T> {
    return this.call(WRITE_TIMEOUT_MS, work);
  }
}
