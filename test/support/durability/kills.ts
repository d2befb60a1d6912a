import { type ChildProcess, spawn } from "node:child_process";
import { DatabaseSync } from "node:sqlite";
import { expect } from "vitest";
import { call, SCOPE, sleep } from "../calls.ts";
import { answersOf, documentOf, embedded, isWhole, openIndex, passagesOf, versionIn } from "./documents.ts";

const WRITER = new URL("./writing-child.ts", import.meta.url).pathname;
const READER = new URL("./reading-child.ts", import.meta.url).pathname;
const QUESTIONS = 100;
/** A writer is killed so long after its first acknowledgement, at most. */
const LIVES_MS = 400;

export interface KillsReport {
  readonly kills: number;
  readonly acknowledged: number;
  readonly readerSearches: number;
}

/** Lines that a child has printed so far. */
function linesOf(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts);
  });
  return lines;
}

function start(script: string, args: readonly string[]) {
  const child = spawn(process.execPath, [script, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const lines = linesOf(child);
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const says = async (word: string) => {
    while (!lines.some((line) => line.startsWith(word)) && child.exitCode === null) await sleep(2);
  };
  return { child, lines, closed, says };
}

interface Stored {
  readonly version: number;
  readonly texts: readonly string[];
}

/** What is stored, by document: its version; every one of them checked to be whole. */
function stored(file: string, prefix: string): Map<string, Stored> {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = database
    .prepare(
      "SELECT d.id, d.passages, p.text FROM documents d LEFT JOIN passages p ON p.document = d.row ORDER BY d.row, p.ordinal",
    )
    .all() as { id: string; passages: number; text: string | null }[];
  database.close();
  const found = new Map<string, Stored>();
  for (const [id, parts = []] of Map.groupBy(rows, (row) => row.id)) {
    if (!id.startsWith(`${prefix}-`)) continue;
    const texts = parts.map(({ text }) => text ?? "");
    expect(isWhole(id, texts), `${id}: ${JSON.stringify(texts)}`).toBe(true);
    expect(parts[0]?.passages, id).toBe(texts.length);
    found.set(id, { version: versionIn(texts[0] ?? ""), texts });
  }
  return found;
}

/** Documents that are there before the first kill, and are replaced but never deleted. */
function keptOf(prefix: string): string[] {
  return Array.from({ length: 4 }, (_, i) => `${prefix}-kept-${i}`);
}

/** Kills writers of one prefix, one after the other; after each death everything it was promised must be there. */
async function killWriters(file: string, prefix: string, kills: number, deadline: number) {
  const known = new Map(keptOf(prefix).map((id) => [id, 1]));
  let version = 1_000;
  let acknowledged = 0;
  let killed = 0;
  for (; killed < kills && performance.now() < deadline; killed++) {
    const writer = start(WRITER, [file, prefix, String(version)]);
    // One in five dies while it starts; the others once the first write of theirs is acknowledged.
    if (killed % 5 !== 4) await writer.says("done");
    await sleep(Math.random() * LIVES_MS);
    writer.child.kill("SIGKILL");
    await writer.closed;
    const possible = new Map<string, Set<number>>();
    for (const [id, of] of known) possible.set(id, new Set([of]));
    for (const line of writer.lines) {
      const [what, id = "", of] = line.split(" ");
      if (what === "begin") possible.set(id, (possible.get(id) ?? new Set([0])).add(Number(of)));
      if (what === "done") possible.set(id, new Set([Number(of)]));
      if (what === "done") acknowledged++;
      version = Math.max(version, Number(of));
    }
    version += 100;
    const found = stored(file, prefix);
    for (const [id, versions] of possible) {
      const now = found.get(id)?.version ?? 0;
      expect([...versions], `${id} after kill ${killed + 1}`).toContain(now);
      known.set(id, now);
    }
    for (const id of found.keys()) expect(possible.has(id), id).toBe(true);
  }
  return { killed, acknowledged };
}

/** Index, replace, delete and search in two processes, killed again and again while a third one reads. */
export async function surviveKills(file: string, kills: number, timeLimitMs: number): Promise<KillsReport> {
  const deadline = performance.now() + timeLimitMs;
  const prefixes = ["left", "right"];
  const kept = prefixes.flatMap(keptOf);
  const begun = openIndex(file);
  for (const id of kept) await begun.index.replace(SCOPE, documentOf(id, 1), await passagesOf(id, 1), call());
  const others = prefixes.flatMap((prefix) => ["a", "b", "index"].map((lane) => `${prefix}-${lane}-3`));
  const reader = start(READER, [file, ...kept, ...others]);
  await reader.says("ready");
  const killing = prefixes.map((prefix) => killWriters(file, prefix, kills / 2, deadline));
  const results = await Promise.all(killing).finally(() => reader.child.kill("SIGTERM"));
  await reader.closed;
  expect(reader.lines.filter((line) => line.startsWith("wrong"))).toEqual([]);
  const searches = Number(reader.lines.at(-1)?.split(" ")[1]);
  await expectAsRebuilt(file);
  // This process looked on from before the first kill, and is told the same as one that opens the file now.
  const opened = openIndex(file);
  expect(await answersOf(begun.index, QUESTIONS)).toEqual(await answersOf(opened.index, QUESTIONS));
  expect(begun.database.get("PRAGMA integrity_check")).toEqual({ integrity_check: "ok" });
  await Promise.all([begun.close(), opened.close()]);
  return {
    kills: results.reduce((sum, { killed }) => sum + killed, 0),
    acknowledged: results.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    readerSearches: searches,
  };
}

/** The same documents, indexed into a new file in another order, give the same answers and scores. */
async function expectAsRebuilt(file: string): Promise<void> {
  const opened = openIndex(file);
  const scratch = openIndex(`${file}.scratch`);
  const documents = [...stored(file, "left"), ...stored(file, "right")].toSorted(([a], [b]) => (a < b ? 1 : -1));
  for (const [id, { version, texts }] of documents) {
    await scratch.index.replace(SCOPE, documentOf(id, version), await embedded(id, texts), call());
  }
  const [answers, expected] = [await answersOf(opened.index, QUESTIONS), await answersOf(scratch.index, QUESTIONS)];
  await Promise.all([opened.close(), scratch.close()]);
  for (const [i, answer] of answers.entries()) {
    for (const leg of ["byText", "byVector"] as const) {
      const of = new Map(expected[i]?.[leg]);
      expect(answer[leg].length, `question ${i}`).toBe(of.size);
      expect(answer[leg].length, `question ${i}`).toBeGreaterThan(0);
      for (const [id, score] of answer[leg]) expect(of.get(id), `question ${i}: ${id}`).toBeCloseTo(score, 9);
    }
  }
}
