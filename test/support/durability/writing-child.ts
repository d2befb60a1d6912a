import { writeFileSync, writeSync } from "node:fs";
import { ingest } from "../../../src/ingest/ingest.ts";
import { call, SCOPE } from "../calls.ts";
import { documentOf, embedder, openIndex, passagesOf, textsOf, titleOf, token } from "./documents.ts";

/**
 * `node writing-child.ts <file> <prefix> <first version>`: replaces, indexes, deletes and searches until it is killed. Says
 * `begin <id> <version>` before, and `done <id> <version>` once it is acknowledged; version 0 is a deletion.
 */
const [file = "", prefix = "", first = "1"] = process.argv.slice(2);
const { index } = openIndex(file);
const counter = { name: "characters", count: (text: string) => Math.ceil(text.length / 2) };
let version = Number(first);
const below = (n: number) => Math.floor(Math.random() * n);
// Through to the pipe before it goes on: what `process.stdout` keeps for a reader who is slow dies with this process.
const say = (what: string, id: string, of: number) => void writeSync(1, `${what} ${id} ${of}\n`);

async function replace(id: string): Promise<void> {
  const mine = ++version;
  const passages = await passagesOf(id, mine);
  say("begin", id, mine);
  await index.replace(SCOPE, documentOf(id, mine), passages, call());
  say("done", id, mine);
}

async function remove(id: string): Promise<void> {
  say("begin", id, 0);
  await index.delete(SCOPE, id, call());
  say("done", id, 0);
}

/** As `ragline index` does: several documents in flight, and a passage for each paragraph. */
async function indexSources(ids: readonly string[]): Promise<void> {
  const mine = ++version;
  const lines = ids.map((id) => JSON.stringify({ id, title: titleOf(id), text: textsOf(id, mine).join("\n\n") }));
  const source = `${file}.${prefix}.jsonl`;
  writeFileSync(source, lines.join("\n"));
  for (const id of ids) say("begin", id, mine);
  const chunk = { targetTokens: 32, overlapTokens: 0 };
  const options = { scope: SCOPE, prune: false, chunk, signal: call().signal };
  await ingest([source], { embedder, index, counter }, options);
  for (const id of ids) say("done", id, mine);
}

async function lane(name: string): Promise<void> {
  const ids = Array.from({ length: 8 }, (_, i) => `${prefix}-${name}-${i}`);
  for (;;) {
    const id = ids[below(8)] ?? "";
    const chance = Math.random();
    if (chance < 0.7) await replace(id);
    else if (chance < 0.9) await remove(id);
    else await index.search(SCOPE, { text: token(id), limit: 50 }, call());
  }
}

async function indexingLane(): Promise<void> {
  const ids = Array.from({ length: 10 }, (_, i) => `${prefix}-index-${i}`);
  for (;;) await indexSources(ids);
}

/** Replaced and never deleted: a reader always finds it. */
async function keptLane(): Promise<void> {
  for (;;) for (let i = 0; i < 4; i++) await replace(`${prefix}-kept-${i}`);
}

say("ready", prefix, version);
void lane("a");
void lane("b");
void indexingLane();
void keptLane();
