import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SqlitePassageIndex } from "../../src/adapters/passage-index/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";

const scope = { tenant: "t", collection: "c", groups: [] };
const vector = (n: number) => Float32Array.from({ length: 8 }, (_, d) => Math.sin((n % 997) * (d + 1)) / 3);

function opened(file: string): SqlitePassageIndex {
  const database = Database.open(file);
  const index = new SqlitePassageIndex(database, { model: "m", dimensions: 8 });
  onTestFinished(async () => {
    await index.close();
    await database.close();
  });
  return index;
}

async function write(index: SqlitePassageIndex, document: number, version: number, size = 20): Promise<void> {
  const passages = Array.from({ length: size }, (_, i) => ({
    text: `휴가 규정 ${i % 17} v${version} leave${document} \ud800 ${i}`,
    headings: [`제${i}조`, "\udc00"],
    ...{ tokens: 9, vector: vector(document * 100 + i + version) },
    ...(i % 2 === 0 && { page: i }),
  }));
  const about = { id: `d${document}`, title: `규정 \ud800 ${version}`, url: `https://a/${document}`, hash: "" };
  await index.replace(scope, { ...about, metadata: { document, tags: ["a"] }, groups: [] }, passages);
}

test("what this process wrote is found as another one reads it, several at once and replaced among them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ragline-own-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "a.db");
  const index = opened(file);
  await write(index, 0, 0);
  const ask = (of: SqlitePassageIndex, n: number) =>
    of.search(scope, { text: `휴가 ${n} leave${n}`, vector: vector(n), limit: 20 });
  await ask(index, 0);
  const beside = opened(file);
  await Promise.all(
    Array.from({ length: 30 }, async (_, n) => {
      await write(n % 5 === 4 ? beside : index, n % 12, n, n % 3 === 0 ? 3 : 20);
      await ask(index, n);
    }),
  );
  await write(index, 3, 99);
  expect((await ask(index, 3)).byText[0]?.passage.text).toContain("v99");
  await index.delete(scope, "d4");
  await beside.warm(scope);
  for (let n = 0; n < 12; n++) {
    const found = await ask(index, n);
    expect(found.byText).toHaveLength(20);
    expect(found).toEqual(await ask(opened(file), n));
  }
});

test("a document without passages, and one that the caller changes afterwards", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ragline-own-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const index = opened(join(folder, "a.db"));
  await write(index, 0, 0);
  await index.warm(scope);
  await write(index, 0, 1, 0);
  const query = { text: "휴가", vector: vector(1), limit: 20 };
  expect((await index.search(scope, query)).byText).toEqual([]);
  const headings = ["before"];
  const metadata: Record<string, string> = { kind: "before" };
  const about = { id: "d1", title: "", hash: "", metadata, groups: [] };
  const passages = [{ text: "휴가", headings, tokens: 1, vector: vector(1) }];
  await index.replace(scope, about, passages);
  headings[0] = "after";
  metadata.kind = "after";
  const [hit] = (await index.search(scope, query)).byText;
  expect(hit?.passage).toMatchObject({ headings: ["before"], metadata: { kind: "before" } });
});
