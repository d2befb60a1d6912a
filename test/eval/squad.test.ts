import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readCorpus, readSet } from "../../src/eval/sets.ts";
import { parseSquad } from "../../src/eval/squad.ts";
import { collect } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";

const FILE = {
  data: [
    {
      title: "한국_역사",
      paragraphs: [
        {
          context: "세종은 1443년 한글을 만들었다.",
          qas: [{ id: "q1", question: "한글은 누가?", answers: [{ text: "세종" }] }],
        },
        {
          context: "세종은 1443년 한글을 만들었다.",
          qas: [{ id: "q2", question: "한글은 언제?", answers: [{ text: "1443년" }] }],
        },
      ],
    },
  ],
};

test("a folder with a KorQuAD file is an evaluation set: equal paragraphs once, each question judged by its own", async () => {
  const folder = folderForTest();
  writeFileSync(folder.file("KorQuAD_v1.0_dev.json"), JSON.stringify(FILE));
  const set = await readSet(folder.path);
  expect(await collect(readCorpus(set.corpusFile))).toEqual([
    { id: "p1", title: "한국 역사", text: "세종은 1443년 한글을 만들었다." },
  ]);
  expect(set.queries.map(({ text, grades }) => [text, [...grades]])).toEqual([
    ["한글은 누가?", [["p1", 1]]],
    ["한글은 언제?", [["p1", 1]]],
  ]);
  expect((await parseSquad(set.corpusFile)).questions[1]?.answers).toEqual(["1443년"]);
});

test("a file in another form is refused, and named", async () => {
  const folder = folderForTest();
  writeFileSync(folder.file("quad.json"), JSON.stringify({ data: [{}] }));
  await expect(readSet(folder.path)).rejects.toMatchObject({
    code: "request_invalid",
    message: expect.stringContaining("quad.json is not in SQuAD's form"),
  });
});
