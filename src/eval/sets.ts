import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { createInterface } from "node:readline";
import { RaglineError } from "../errors.ts";
import type { Grades } from "./metrics.ts";
import { isSquad, readSquad, readSquadCorpus, squadFileIn } from "./squad.ts";

/** A query of an evaluation set that has judgements. */
export interface EvalQuery {
  readonly id: string;
  readonly text: string;
  readonly grades: Grades;
}

/** An evaluation set without its corpus, which is streamed: see `readCorpus`. */
export interface EvalSet {
  readonly name: string;
  readonly queries: readonly EvalQuery[];
  readonly corpusFile: string;
}

/** File names within the folder (or paths from it). */
export interface SetFiles {
  /** Default `corpus.jsonl`. */
  readonly corpus?: string;
  /** Default `queries.jsonl`. */
  readonly queries?: string;
  /** Default `qrels.tsv`. */
  readonly qrels?: string;
  /** The queries' field that is asked, e.g. `rewrite` for conversations; default `text`. */
  readonly field?: string;
}

export interface CorpusEntry {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/**
 * Reads a retrieval set: `queries.jsonl` with {id, text}, `qrels.tsv` with a header and query id, passage id, grade by tabs.
 * A folder that holds a SQuAD or KorQuAD file instead gives its questions, each judged by the paragraph it was asked of.
 * Queries without judgements are left out. Rejects with `request_invalid`, naming file and line.
 */
export async function readSet(folder: string, files: SetFiles = {}): Promise<EvalSet> {
  const squad = await squadFileIn(folder);
  if (squad) return readSquad(squad, basename(resolve(folder)));
  const { corpus = "corpus.jsonl", queries = "queries.jsonl", qrels = "qrels.tsv", field = "text" } = files;
  const judgements = await readJudgements(resolve(folder, qrels));
  const judged: EvalQuery[] = [];
  for await (const { id, record, place } of readRecords(resolve(folder, queries))) {
    const grades = judgements.get(id);
    if (!grades) continue;
    judged.push({ id, text: textOf(record, field, place), grades });
  }
  return { name: basename(resolve(folder)), queries: judged, corpusFile: resolve(folder, corpus) };
}

/** Reads `corpus.jsonl` {id, title?, text} line by line; its memory does not grow with the corpus. Or a SQuAD file, whole. */
export async function* readCorpus(file: string): AsyncGenerator<CorpusEntry> {
  if (isSquad(file)) {
    yield* await readSquadCorpus(file);
    return;
  }
  for await (const { id, record, place } of readRecords(file)) {
    yield { id, title: typeof record.title === "string" ? record.title : "", text: textOf(record, "text", place) };
  }
}

interface JsonRecord {
  readonly id: string;
  readonly record: Readonly<Record<string, unknown>>;
  /** File and line, for messages. */
  readonly place: string;
}

async function* readRecords(file: string): AsyncGenerator<JsonRecord> {
  let line = 0;
  const input = createReadStream(file);
  try {
    for await (const source of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      line++;
      if (source.trim() === "") continue;
      const place = `${file}:${line}`;
      const record = parse(source, place);
      yield { id: textOf(record, "id", place), record, place };
    }
  } catch (thrown) {
    throw unreadable(file, thrown);
  } finally {
    input.destroy();
  }
}

function parse(source: string, place: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    throw new RaglineError("request_invalid", `${place} is not JSON.`, { cause });
  }
  if (typeof value === "object" && value !== null) return { ...value };
  throw new RaglineError("request_invalid", `${place} is not a JSON object.`);
}

function textOf(record: Readonly<Record<string, unknown>>, field: string, place: string): string {
  const value = record[field];
  if (typeof value === "string") return value;
  throw new RaglineError("request_invalid", `${place} has no text under "${field}".`);
}

async function readJudgements(file: string): Promise<Map<string, Map<string, number>>> {
  const content = await readFile(file, "utf8").catch((thrown: unknown) => {
    throw unreadable(file, thrown);
  });
  const judgements = new Map<string, Map<string, number>>();
  for (const [i, line] of content.split(/\r?\n/).entries()) {
    if (i === 0 || line === "") continue;
    const [query, passage, grade] = line.split("\t");
    if (query === undefined || passage === undefined || grade === undefined || !Number.isFinite(Number(grade))) {
      throw new RaglineError(
        "request_invalid",
        `${file}:${i + 1} is not query id, passage id and grade, parted by tabs.`,
      );
    }
    const grades = judgements.get(query) ?? new Map<string, number>();
    judgements.set(query, grades.set(passage, Number(grade)));
  }
  return judgements;
}

function unreadable(file: string, thrown: unknown): unknown {
  const isSystemError =
    thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" && "syscall" in thrown;
  if (!isSystemError) return thrown;
  return new RaglineError("request_invalid", `${file} cannot be read (${String(thrown.code)}).`, { cause: thrown });
}
