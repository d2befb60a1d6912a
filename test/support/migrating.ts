import { createHashingEmbedder } from "../../src/adapters/embedder/hashing.ts";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { type MigrateOptions, type MigrationReport, migrate } from "../../src/migrate/migrate.ts";
import type { Embedder } from "../../src/ports/embedder.ts";
import type { PassageIndex } from "../../src/ports/passage-index.ts";
import type { StoredDocument } from "../../src/ports/transfer.ts";
import type { Document, PassageInput, Scope } from "../../src/types.ts";
import { call, SCOPE } from "./calls.ts";
import { temporaryFolder } from "./folder.ts";

export const EMBEDDER: Embedder = createHashingEmbedder({ dimensions: 64 });

export interface OpenedIndex {
  readonly index: PassageIndex;
  close(): Promise<void>;
}

/** In a folder of its own. */
export function openSqliteIndex(space: Pick<Embedder, "model" | "dimensions"> = EMBEDDER): OpenedIndex {
  const folder = temporaryFolder();
  const { index, close } = openFile(folder.file("index.db"), space);
  return {
    index,
    async close() {
      await close();
      folder.remove();
    },
  };
}

export function openFile(file: string, space: Pick<Embedder, "model" | "dimensions"> = EMBEDDER): OpenedIndex {
  const database = Database.open(file);
  const index = new SqlitePassageIndex(database, space);
  return {
    index,
    async close() {
      await index.close();
      await database.close();
    },
  };
}

/** The contents of an index in a file that others may have open. */
export async function contentsOfFile(file: string): Promise<unknown[]> {
  const { index, close } = openFile(file);
  try {
    return await contents(index);
  } finally {
    await close();
  }
}

/** A configuration of the same embedder. */
export function configuration(search: object): string {
  const { tenant, collection } = SCOPE;
  return JSON.stringify({ tenant, collection, embed: { use: "hashing", dimensions: EMBEDDER.dimensions }, search });
}

const SUBJECTS = [
  "퇴직금",
  "연차휴가",
  "출장비",
  "parental leave",
  "재택근무",
  "laptop",
  "법인카드",
  "overtime",
  "건강검진",
];
const RULES = [
  "신청은 사흘 전까지 한다.",
  "It is approved by the team lead.",
  "예외는 인사팀이 정한다.",
  "Receipts are kept.",
];

/** A passage in Korean and English, unlike the others. */
export function textOf(seed: number): string {
  const subject = SUBJECTS[seed % SUBJECTS.length] ?? "";
  const rule = RULES[(seed * 7) % RULES.length] ?? "";
  return `${subject} 규정 제${seed}조: ${subject}에 관한 기준 ${seed * 31}을 둔다. ${rule} Article ${seed} of the ${subject} policy.`;
}

/** Stores a document of so many passages, embedded. */
export async function write(
  index: PassageIndex,
  id: string,
  seeds: readonly number[],
  change: Partial<Document> = {},
  scope: Scope = SCOPE,
): Promise<void> {
  const texts = seeds.map(textOf);
  const vectors = await EMBEDDER.embed(texts, "passage", call());
  const passages = texts.map((text, i): PassageInput => {
    return { text, headings: [`${(seeds[i] ?? 0) % 5}장`], tokens: text.length, vector: vectors[i] ?? null };
  });
  const document = {
    id,
    title: `문서 ${id}`,
    hash: `${id} ${seeds.join()}`,
    metadata: { 번호: seeds[0] ?? 0 },
    groups: [],
  };
  await index.replace(scope, { ...document, ...change }, passages, call());
}

const TOGETHER = 32;

/** Documents d0, d1, … of one to three passages; every third for a group. */
export async function fill(index: PassageIndex, documents: number): Promise<void> {
  for (let from = 0; from < documents; from += TOGETHER) {
    const ordinals = Array.from({ length: Math.min(TOGETHER, documents - from) }, (_, n) => from + n);
    await Promise.all(
      ordinals.map((i) => {
        const seeds = Array.from({ length: 1 + (i % 3) }, (_, n) => i * 3 + n);
        return write(index, `d${i}`, seeds, { groups: i % 3 === 0 ? [`부서 ${i % 4}`] : [] });
      }),
    );
  }
}

/** Everything that the collection holds, by id, with vectors as lists; times where they are wanted. */
export async function contents(index: PassageIndex, where: Scope = SCOPE, times = true): Promise<unknown[]> {
  const { transfer } = index;
  if (!transfer) throw new Error("the index was to offer a transfer");
  const scope = { ...where, groups: await index.groups(where, call()) };
  const found: unknown[] = [];
  for (let after: string | undefined; ; ) {
    const page = { limit: 1000, ...(after !== undefined && { after }) };
    const { documents, next } = await index.list(scope, page, call());
    for (const { id } of documents) found.push(plain(await transfer.read(scope, id, call()), times));
    if (next === undefined) return found;
    after = next;
  }
}

function plain(stored: StoredDocument | null, times: boolean): unknown {
  if (!stored) return null;
  const { indexedAt, ...document } = stored.document;
  const passages = stored.passages.map((passage) => ({
    ...passage,
    vector: passage.vector && Array.from(passage.vector),
  }));
  return { document, passages, ...(times && { indexedAt }) };
}

export function migrated(
  from: PassageIndex,
  to: PassageIndex,
  change: Partial<MigrateOptions> = {},
): Promise<MigrationReport> {
  const { tenant, collection } = SCOPE;
  return migrate(
    { index: from, embedder: EMBEDDER },
    { index: to, embedder: EMBEDDER },
    {
      collection: { tenant, collection },
      fusion: "learned",
      signal: new AbortController().signal,
      questions: 200,
      others: "refuse",
      ...change,
    },
  );
}
