import { Worker } from "node:worker_threads";
import { RaglineError } from "../../errors.ts";
import { type SqliteFailure, sqliteError } from "./failure.ts";
import type { FileIdentity } from "./opened-file.ts";

export type SqlValue = string | number | bigint | null | Uint8Array;

export interface Statement {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** A query: where it finds no row, the whole transaction is undone. */
  readonly guard?: true;
}

export type Transaction = readonly Statement[];

/** A row that a query has found. */
export type Row = Readonly<Record<string, SqlValue>>;

/** What is written together. Every SQL text goes over once, and by its number from then on. */
export interface WriteBatch {
  /** Those that the thread does not know yet, in the order of their numbers. */
  readonly added: readonly string[];
  readonly requests: readonly WriteRequest[];
}

export interface WriteRequest {
  readonly id: number;
  readonly statements: readonly Numbered[];
  /** Read at the end, inside the transaction. */
  readonly query?: Numbered;
}

type Numbered = Omit<Statement, "sql"> & { readonly sql: number };

export type Reply =
  | Done
  /** `missing`: the file that was opened is not there any more. */
  | { readonly id: number; readonly error: SqliteFailure & { readonly missing?: true } };

export interface Done {
  readonly id: number;
  readonly changes: number[] | null;
  /** The query's. */
  readonly rows?: Row[];
}

/** What the writer's thread is started with. */
export interface WriterData {
  readonly file: string;
  readonly identity: FileIdentity;
}

interface Unsent {
  readonly id: number;
  readonly statements: Transaction;
  readonly query?: Statement;
}

interface Pending {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: RaglineError) => void;
}

/** Writes to one SQLite file from a thread of its own, so that waiting for the disk never holds up the event loop. */
export class Writer {
  readonly #data: WriterData;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | null = null;
  #outbox: Unsent[] = [];
  /** Of the SQL texts that the thread knows. */
  readonly #numbers = new Map<string, number>();
  #lastId = 0;

  constructor(data: WriterData) {
    this.#data = data;
  }

  /**
   * Runs the statements as one transaction. When it resolves they are durable: rows changed by each statement, guards
   * excluded; null where a guard found no row and nothing was written.
   * @throws RaglineError `overloaded`: the disk is full, or another process holds the lock; `dependency_failed`: the file is
   * read-only, damaged or gone.
   */
  write(statements: Transaction): Promise<number[] | null> {
    return new Promise((resolve, reject) => {
      this.#add({ statements }, { resolve: ({ changes }) => resolve(changes), reject });
    });
  }

  /** The same; the query's rows as of the transaction, or null. */
  writeAndRead(statements: Transaction, query: Statement): Promise<Row[] | null> {
    return new Promise((resolve, reject) => {
      this.#add({ statements, query }, { resolve: ({ rows = null }) => resolve(rows), reject });
    });
  }

  async close(): Promise<void> {
    while (this.#pending.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.#worker?.terminate();
  }

  #add(transaction: Omit<Unsent, "id">, pending: Pending): void {
    const id = ++this.#lastId;
    this.#pending.set(id, pending);
    if (this.#outbox.push({ id, ...transaction }) === 1) setImmediate(() => this.#send());
  }

  /** What was written in one turn of the event loop goes over, and is committed, together. */
  #send(): void {
    const requests = this.#outbox;
    this.#outbox = [];
    const worker = this.#worker ?? this.#start();
    worker.ref();
    worker.postMessage(this.#batch(requests));
  }

  #batch(requests: readonly Unsent[]): WriteBatch {
    const added: string[] = [];
    const numbered = ({ sql, ...rest }: Statement): Numbered => {
      const known = this.#numbers.get(sql);
      if (known !== undefined) return { sql: known, ...rest };
      this.#numbers.set(sql, this.#numbers.size);
      added.push(sql);
      return { sql: this.#numbers.size - 1, ...rest };
    };
    const numberedRequests = requests.map(({ id, statements, query }) => ({
      id,
      statements: statements.map(numbered),
      ...(query && { query: numbered(query) }),
    }));
    return { added, requests: numberedRequests };
  }

  #start(): Worker {
    // Built code runs as .js, the source tree directly as .ts.
    const script = new URL(`./writer-thread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);
    const worker = new Worker(script, {
      workerData: this.#data,
      // Node 22 announces its built-in SQLite as experimental in every thread.
      execArgv: ["--disable-warning=ExperimentalWarning"],
    });
    worker.on("message", (replies: Reply[]) => this.#settle(replies));
    worker.on("error", (error) => this.#fail(worker, error));
    worker.on("exit", () => this.#fail(worker, new Error("the writer thread ended")));
    this.#worker = worker;
    this.#numbers.clear();
    return worker;
  }

  #settle(replies: readonly Reply[]): void {
    for (const reply of replies) {
      const pending = this.#pending.get(reply.id);
      this.#pending.delete(reply.id);
      if ("error" in reply) pending?.reject(this.#failed(reply.error));
      else pending?.resolve(reply);
    }
    if (this.#pending.size === 0) this.#worker?.unref();
  }

  #fail(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = null;
    for (const { reject } of this.#pending.values()) reject(this.#failed({ message: error.message }));
    this.#pending.clear();
    this.#outbox = [];
  }

  #failed(failure: SqliteFailure & { readonly missing?: true }): RaglineError {
    if (failure.missing) return new RaglineError("dependency_failed", failure.message, { retryable: false });
    return sqliteError(this.#data.file, "written", failure);
  }
}
