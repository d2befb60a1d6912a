import { describe, expect, test } from "vitest";
import { hasOwnTopic } from "../../src/pipeline/own-topic.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import { createWords } from "../../src/text/words.ts";
import type { ScoredPassage } from "../../src/types.ts";
import { askAll, broken, fakeStages, passage, questionOf, saying } from "../support/stages.ts";

function hit(title: string, text: string): ScoredPassage {
  return { passage: { ...passage(title, text), title }, score: 1 };
}

const LEAVE = hit("연차휴가", "연차휴가는 1년에 15일이며 이월 한도는 5일입니다. 신청은 포털에서 합니다.");
const CARD = hit("법인카드", "법인카드 한도는 한 달에 100만 원이며 신청은 재무팀에 합니다.");
const NOTEBOOK = hit("Company notebook", "A company notebook is replaced after four years.");
const PRIVACY = hit("개인정보 보호", "개인정보 유출은 24시간 안에 보안팀에 신고합니다.");
const GRIEVANCE = hit("고충처리와 직장 내 괴롭힘 신고", "신고 기한은 없습니다.");
const VACATION = hit("Vacation", "Vacation: 15 days a year, of which 5 are carried over.");

describe("a question that words were carried over to", () => {
  test.each([
    ["법인카드 한도는 얼마인가요?", "연차휴가", [LEAVE, CARD], true],
    ["연차휴가는 며칠인가요?", "법인카드 한도", [CARD, LEAVE], true],
    ["When is a notebook replaced?", "vacation", [VACATION, NOTEBOOK], true],
    ["그럼 법인카드 한도는요?", "연차휴가", [LEAVE, CARD], false],
    ["What about the company notebook?", "vacation", [VACATION, NOTEBOOK], false],
    ["신청은 어떻게 하나요?", "법인카드", [CARD, LEAVE], false],
    ["이월 한도는 며칠인가요?", "연차휴가", [LEAVE, CARD], false],
    ["신고 기한은 언제인가요?", "개인정보 유출", [PRIVACY, GRIEVANCE], false],
    ["법인카드 포인트는 얼마인가요?", "연차휴가", [LEAVE, CARD], false],
    ["법인카드 한도는 얼마인가요?", "연차휴가", [LEAVE], false],
    ["법인카드 한도는 얼마인가요?", "연차휴가", [LEAVE, CARD, hit("법인카드와 연차휴가", CARD.passage.text)], false],
  ])("%j after words on %j", (asked, carried, found, expected) => {
    expect(hasOwnTopic(asked, `${carried} ${asked}`, found, createWords())).toBe(expected);
  });

  test("is nothing that was not carried over to", () => {
    const asked = "법인카드 한도는 얼마인가요?";
    expect(hasOwnTopic(asked, asked, [LEAVE, CARD], createWords())).toBe(false);
  });
});

/** What was searched for, and the passages that the answer cites from. */
async function askedAfterLeave(question: string, instructed: Stages["instructed"] = null) {
  const searched: string[] = [];
  const change: Partial<Stages> = {
    instructed,
    index: {
      ...fakeStages().index,
      search: async (_scope, { text = "" }) => {
        searched.push(text);
        return { byText: text.includes("연차") ? [LEAVE, CARD] : [CARD], byVector: [] };
      },
    },
  };
  const stages = fakeStages({ ...change, settings: { rewriteByModel: instructed !== null } });
  await askAll(stages, questionOf({ question: "연차휴가는 며칠인가요?" }));
  searched.length = 0;
  const { events } = await askAll(stages, questionOf({ question }));
  const found = events.find((event) => event.type === "source-list");
  if (found?.type !== "source-list") throw new Error("no sources");
  return { searched, query: found.query, sources: found.sources.map(({ title }) => title), turn: stages.turns.at(-1) };
}

describe("a conversation that goes on to another topic", () => {
  test("is searched for as it was asked, and says so", async () => {
    const asked = "법인카드 한도는 얼마인가요?";
    const { searched, query, sources, turn } = await askedAfterLeave(asked);
    expect(searched).toEqual([`연차휴가 ${asked}`, asked]);
    expect({ query, sources, kept: turn?.query }).toEqual({ query: asked, sources: ["법인카드"], kept: asked });
  });

  test("what was found while a model tried to rewrite it is not searched for again", async () => {
    const asked = "법인카드 한도는 얼마인가요?";
    const { searched, query } = await askedAfterLeave(asked, saying(broken()));
    expect({ searched, query }).toEqual({ searched: [asked, `연차휴가 ${asked}`], query: asked });
  });

  test("a follow-up is searched for once, with what was carried over", async () => {
    const asked = "이월 한도는 며칠인가요?";
    const { searched, query } = await askedAfterLeave(asked);
    expect({ searched, query }).toEqual({ searched: [`연차휴가 ${asked}`], query: `연차휴가 ${asked}` });
  });
});
