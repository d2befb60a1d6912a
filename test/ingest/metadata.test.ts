import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadDocuments, readDocument } from "../../src/ingest/load.ts";

const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, i]));

const REFUSED: [string, Record<string, unknown>, RegExp][] = [
  ["too many fields", many(65), /has 65 metadata fields \(at most 64\)/],
  ["long text", { 비고: "가".repeat(4_001) }, /field "비고" with text longer than 4000 characters/],
  ["long text in a list", { tags: ["a", "b".repeat(4_001)] }, /field "tags" with text longer than 4000/],
  ["a long list", { tags: Array(101).fill("a") }, /field "tags" with more than 100 entries/],
  ["a blank name", { " ": 1 }, /field " " whose name is blank/],
  ["a long name", { ["n".repeat(129)]: 1 }, /whose name is longer than 128 characters/],
  ["an operator for a name", { $or: "a" }, /field "\$or" whose name begins with `\$`/],
  ["__proto__", JSON.parse('{"__proto__": "a"}'), /field "__proto__" whose name is reserved/],
  ["constructor", { constructor: "a" }, /field "constructor" whose name is reserved/],
  ["prototype", { prototype: "a" }, /field "prototype" whose name is reserved/],
];

const REFUSED_HEADS: [string, Record<string, unknown>, RegExp][] = [
  ["a long title", { title: "제".repeat(1_001) }, /has a title longer than 1000 characters/],
  ["a long url", { url: `https://example.com/${"a".repeat(2_000)}` }, /has a url longer than 2000 characters/],
  ["many groups", { groups: Array.from({ length: 101 }, (_, i) => `g${i}`) }, /has 101 groups \(at most 100\)/],
  ["a long group", { groups: ["g".repeat(129)] }, /group whose name is longer than 128 characters/],
];

/** JSON is YAML. */
const page = (fields: unknown) => `---\n${JSON.stringify(fields)}\n---\n본문`;

test.each([...REFUSED, ...REFUSED_HEADS])(
  "front matter with %s is refused, naming document, field and limit",
  (_, fields, reason) => {
    const input = { id: "a.md", text: page(fields), format: "markdown" } as const;
    expect(() => readDocument(input)).toThrow(reason);
    expect(() => readDocument(input)).toThrow(/^Document "a\.md" has /);
  },
);

test.each(REFUSED)("a JSONL row with %s fails by line, and the rest goes on", async (_, fields, reason) => {
  const root = await mkdtemp(join(tmpdir(), "ragline-metadata-"));
  const path = join(root, "rows.jsonl");
  const rows = [`{"id":"a","text":"본문",${JSON.stringify(fields).slice(1)}`, '{"id":"b","text":"본문","law":"민법"}'];
  await writeFile(path, rows.join("\n"));
  const results = [];
  for await (const result of loadDocuments([path], { signal: new AbortController().signal })) results.push(result);
  await rm(root, { recursive: true });
  expect(results).toMatchObject([
    { failure: { path: `${path}:1`, documentId: "a", reason: expect.stringMatching(reason) } },
    { document: { id: "b", metadata: { law: "민법" } } },
  ]);
});

test("the limits hold for front matter and the request together", () => {
  const input = { id: "a", text: page(many(60)), format: "markdown" } as const;
  expect(Object.keys(readDocument({ ...input, metadata: many(64) }).metadata)).toHaveLength(64);
  const others = { a: 1, b: 2, c: 3, d: 4, e: 5 };
  expect(() => readDocument({ ...input, metadata: others })).toThrow(/65 metadata fields/);
  expect(() => readDocument({ id: "a", text: "본문", format: "text", metadata: { $a: 1 } })).toThrow(/begins with/);
});

test("metadata at the limits is kept", () => {
  const fields = { ...many(61), text: "가".repeat(4_000), list: Array(100).fill("a"), ["n".repeat(128)]: true };
  expect(readDocument({ id: "a", text: page(fields), format: "markdown" }).metadata).toEqual(fields);
});

test("a heading that is too long for a title is no title, and stays in the text", () => {
  const heading = "긴 제목 ".repeat(300).trim();
  const { title, blocks } = readDocument({ id: "a.md", text: `# ${heading}\n\n본문`, format: "markdown" });
  expect(title).toBe("a.md");
  expect(blocks[0]).toMatchObject({ kind: "heading", text: heading });
});
