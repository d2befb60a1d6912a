import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Ragline } from "../../src/index.ts";
import { type OpenedRagline, openRagline } from "../support/ragline.ts";

const EXAMPLES = join(import.meta.dirname, "../../examples");

interface HandbookQuestion {
  readonly text: string;
  readonly kind: string;
  readonly pages: readonly string[];
  readonly mustContain: readonly string[];
}

const questions = readFileSync(join(EXAMPLES, "handbook-questions.jsonl"), "utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => JSON.parse(line) as HandbookQuestion);

/** Share of a question's pages among the five best passages, and whether the first is of one. */
async function found(ragline: Ragline, { text, pages }: HandbookQuestion) {
  const { hits } = await ragline.search({ query: text, top: 5 });
  const documents = hits.map(({ passage }) => passage.documentId);
  const isOf = (id: string | undefined, page: string) => id?.endsWith(page) === true;
  const held = pages.filter((page) => documents.some((id) => isOf(id, page))).length;
  return { recall: held / pages.length, first: pages.some((page) => isOf(documents[0], page)) };
}

describe("the bundled handbook, as it comes", () => {
  let opened: OpenedRagline;
  beforeAll(async () => {
    opened = await openRagline({ embed: { use: "static" } });
    await opened.ragline.index([join(EXAMPLES, "handbook")]);
  });
  afterAll(() => opened.close());

  test("a small collection is searched better than by text alone (recall@5 0.740): 0.798, 35 of 52 first hits", async () => {
    const answerable = questions.filter(({ pages }) => pages.length > 0);
    let [recall, first] = [0, 0];
    for (const question of answerable) {
      const outcome = await found(opened.ragline, question);
      recall += outcome.recall / answerable.length;
      first += outcome.first ? 1 : 0;
    }
    expect(answerable).toHaveLength(52);
    expect(recall).toBeGreaterThanOrEqual(0.79);
    expect(first).toBeGreaterThanOrEqual(35);
  });

  test("asked one after another in one conversation, most find their page all the same: 32 of 52 first", async () => {
    let first = 0;
    for (const { text, pages } of questions.filter(({ pages }) => pages.length > 0)) {
      for await (const event of opened.ragline.ask({ question: text, sessionId: "handbook" })) {
        if (event.type !== "source-list") continue;
        if (pages.some((page) => event.sources[0]?.documentId.endsWith(page))) first++;
      }
    }
    expect(first).toBeGreaterThanOrEqual(31);
  });

  test("quotes hold the whole answer of 14 of 26 one-page questions; 9 of 10 others are declined", async () => {
    let [whole, declined] = [0, 0];
    for (const question of questions) {
      if (question.kind !== "single" && question.kind !== "unanswerable") continue;
      let answer = "";
      let reason = "";
      for await (const event of opened.ragline.ask({ question: question.text })) {
        if (event.type === "text-delta") answer += event.text;
        if (event.type === "answer-end") reason = event.finishReason;
      }
      if (question.kind === "unanswerable") declined += reason === "no_answer" ? 1 : 0;
      else whole += question.mustContain.every((part) => answer.includes(part)) ? 1 : 0;
    }
    expect(whole).toBeGreaterThanOrEqual(13);
    expect(declined).toBeGreaterThanOrEqual(9);
  });

  test("status says what was learned, by language", async () => {
    const { fusion } = await opened.ragline.status();
    expect(fusion.from).toBe("learned");
    for (const language of ["ko", "en"]) expect(fusion.weights[language]?.questions).toBeGreaterThan(100);
  });
});
