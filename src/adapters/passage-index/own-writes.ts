import { setTimeout as sleep } from "node:timers/promises";
import type { Partition, ResidentPassage } from "../../resident/partition.ts";
import type { PassageTerms } from "../../resident/terms.ts";
import type { PassageParts } from "../../text/passage-text.ts";
import type { Document, PassageInput } from "../../types.ts";

/** By tenant, collection and id of the document. Without passages there is one row. */
export const WRITTEN_ROWS = `SELECT l.seq, l.document, p.row FROM changes l
  JOIN documents d ON d.row = l.document JOIN collections c ON c.row = d.collection LEFT JOIN passages p ON p.document = d.row
  WHERE c.tenant = ? AND c.name = ? AND d.id = ? ORDER BY p.ordinal`;
/** So long a takeover waits for word of this process's own commits before it reads them from the file. */
const HEARD_MS_MAX = 20;

export interface WrittenRow {
  readonly seq: number;
  readonly document: number;
  readonly row: number | null;
}

/** A document with its passages. */
export interface Content {
  readonly document: Document;
  readonly passages: readonly (PassageInput & PassageParts)[];
}

/** Where it was stored. */
export interface Commit {
  readonly seq: number;
  readonly documentRow: number;
  /** The passages', in their order. */
  readonly rows: readonly number[];
}

interface Written extends Content, Commit {
  /** Whose vocabulary the terms are of. */
  readonly partition: Partition;
  readonly terms: readonly PassageTerms[];
}

export function commitOf(rows: readonly WrittenRow[]): Commit | null {
  const [first] = rows;
  return first ? { seq: first.seq, documentRow: first.document, rows: rows.flatMap(({ row }) => row ?? []) } : null;
}

/** As reading would give it back; what the caller does with it afterwards makes no difference. */
export function asStored(document: Document, passages: readonly PassageInput[]): Content {
  const { metadata, groups } = JSON.parse(JSON.stringify(document)) as Document;
  const title = document.title.toWellFormed();
  const url = document.url?.toWellFormed();
  return {
    document: {
      ...document,
      id: document.id.toWellFormed(),
      title,
      ...(url !== undefined && { url }),
      metadata,
      groups,
    },
    passages: passages.map((passage) => ({
      ...passage,
      title,
      text: passage.text.toWellFormed(),
      headings: [...passage.headings],
      vector: passage.vector ? passage.vector.slice() : null,
    })),
  };
}

/** What this process writes to one collection, so that its takeover need neither read nor tokenise it. */
export class OwnWrites {
  readonly #pending = new Set<Promise<void>>();
  /** By the change in which it was committed. */
  readonly #written = new Map<number, Written>();

  /** Beside the commit, which resolves to null where nothing was written, the terms of the passages are found. */
  async add(content: Content, commit: Promise<Commit | null>, partition: Partition): Promise<void> {
    const pending = this.#add(content, commit, partition).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
    await pending;
  }

  /** A commit of this process is in the file before its thread's word of it is here. */
  async heard(changes: readonly { readonly seq: number }[]): Promise<void> {
    if (this.#pending.size === 0 || changes.every(({ seq }) => this.#written.has(seq))) return;
    await Promise.race([Promise.allSettled(this.#pending), sleep(HEARD_MS_MAX, undefined, { ref: false })]);
  }

  /** The passages committed with this change; null: not by this process. `partition`: that they are for. */
  passagesOf(seq: number, partition: Partition): ResidentPassage[] | null {
    const written = this.#written.get(seq);
    if (!written) return null;
    const { document, passages, documentRow, rows, terms } = written;
    const { metadata, groups } = document;
    return passages.flatMap(({ title, headings, text, vector }, i) => {
      const row = rows[i];
      if (row === undefined) return [];
      const found = partition === written.partition ? terms[i] : undefined;
      return { row, documentRow, title, headings, text, vector, metadata, groups, ...(found && { terms: found }) };
    });
  }

  forgetUpTo(seq: number): void {
    for (const change of this.#written.keys()) if (change <= seq) this.#written.delete(change);
  }

  async #add(content: Content, commit: Promise<Commit | null>, partition: Partition): Promise<void> {
    const [committed, terms] = await Promise.all([commit, partition.prepare(content.passages)]);
    if (committed) this.#written.set(committed.seq, { ...content, ...committed, partition, terms });
  }
}
