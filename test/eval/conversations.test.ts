import { expect, test } from "vitest";
import { evaluateConversations } from "../../src/cli/eval-conversations.ts";
import { SCOPE } from "../support/calls.ts";
import { fakeStages, passage } from "../support/stages.ts";

test("every query of a conversation is searched for once, also where a follow-up has a topic of its own", async () => {
  const hit = (title: string, text: string) => ({ passage: { ...passage(title, text), title }, score: 1 });
  const leave = hit("연차휴가", "연차휴가는 1년에 15일이며 이월 한도는 5일입니다.");
  const card = hit("법인카드", "법인카드 한도는 한 달에 100만 원입니다.");
  const searched: string[] = [];
  const stages = fakeStages({
    reranker: null,
    settings: { rewriteByModel: false },
    index: {
      ...fakeStages().index,
      search: async (_scope, { text = "" }) => {
        searched.push(text);
        return { byText: text.includes("연차") ? [leave, card] : [card], byVector: [] };
      },
    },
  });
  const history = [
    { role: "user", content: "연차휴가는 며칠인가요?" },
    { role: "assistant", content: "15일입니다." },
  ] as const;
  const text = "법인카드 한도는 얼마인가요?";
  const grades = new Map([["법인카드", 1]]);
  const conversation = { id: "1", text, history, rewrite: text, grades };
  const { rows } = await evaluateConversations(stages, SCOPE, [conversation], new AbortController().signal, () => {});
  expect(rows.at(-1)).toMatchObject({ questions: 1, text: { rewritten: 1 } });
  // Of each the whole search, and the text's leg by itself.
  expect(searched).toEqual([text, text, `연차휴가 ${text}`, `연차휴가 ${text}`]);
});
