import { describe, expect, test } from "vitest";
import { hasOwnTopic } from "../../src/pipeline/own-topic.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import { createWords } from "../../src/text/words.ts";
import type { ScoredPassage } from "../../src/types.ts";
import { askAll, broken, fakeStages, memoryCache, passage, questionOf, saying } from "../support/stages.ts";

function hit(title: string, text: string): ScoredPassage {
  return { passage: { ...passage(title, text), title }, score: 1 };
}

const LEAVE = hit("연차휴가", "연차휴가는 1년에 15일이며 이월 한도는 5일입니다. 신청은 포털에서 합니다.");
const CARD = hit("법인카드", "법인카드 한도는 한 달에 100만 원이며 신청은 재무팀에 합니다.");
const NOTEBOOK = hit("Company notebook", "A company notebook is replaced after four years.");
const PRIVACY = hit("개인정보 보호", "개인정보 유출은 24시간 안에 보안팀에 신고합니다.");
const GRIEVANCE = hit("고충처리와 직장 내 괴롭힘 신고", "신고 기한은 없습니다.");
const VACATION = hit("Vacation", "Vacation: 15 days a year, of which 5 are carried over.");

describe("a question that words were carried over to, by the titles of what was found with them", () => {
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
    const evidence = { together: found, alone: { hits: [], isAll: true } };
    expect(hasOwnTopic(asked, `${carried} ${asked}`, evidence, createWords())).toBe(expected);
  });

  test("is nothing that was not carried over to", () => {
    const asked = "법인카드 한도는 얼마인가요?";
    expect(
      hasOwnTopic(asked, asked, { together: [LEAVE, CARD], alone: { hits: [CARD], isAll: true } }, createWords()),
    ).toBe(false);
  });
});

function scored(hit: ScoredPassage, score: number): ScoredPassage {
  return { ...hit, score };
}

const REMOTE = hit("근무", "재택근무는 주 2회까지 합니다. 전날 신청합니다.");
const REMOTE_LEAVE = hit("근무", "연차휴가 중에는 재택근무를 하지 않습니다.");

describe("by the scores of what was found without them", () => {
  const asked = "재택근무는 일주일에 며칠 가능해요?";
  const others = (score: number) => Array.from({ length: 19 }, (_, i) => scored(hit(`글 ${i}`, "일주일"), score));

  test.each([
    ["best far above all about the conversation", asked, [scored(REMOTE, 9), scored(REMOTE_LEAVE, 4)], true],
    ["others about it nearly as good", asked, [scored(REMOTE, 9), scored(REMOTE_LEAVE, 6)], false],
    ["nothing about it, and all that there is was found", asked, [scored(REMOTE, 9)], true],
    ["nothing about it far down", asked, [scored(REMOTE, 9), ...others(2)], true],
    ["what was not found may be about it, and as good", asked, [scored(REMOTE, 9), ...others(8)], false],
    ["the best about it", asked, [scored(REMOTE_LEAVE, 9), scored(REMOTE, 4)], false],
    ["the best holds hardly any of its words", "재택근무수당의 지급기준은?", [scored(hit("글", "지급"), 9)], false],
    ["a question that points back", "그럼 재택근무는요?", [scored(REMOTE, 9)], false],
    ["one noun and a topic's particle", "재택근무는?", [scored(REMOTE, 9)], false],
    ["one noun that is asked of, too", "재택근무도 되나요?", [scored(REMOTE, 9)], false],
    ["one that points back after thanks", "네, 그럼 재택근무는 며칠 가능해요?", [scored(REMOTE, 9)], false],
    ["one that adds", "아 그리고 재택근무는 며칠 가능해요?", [scored(REMOTE, 9)], true],
    ["one that adds politely", "근데요, 재택근무는 며칠 가능해요?", [scored(REMOTE, 9)], true],
    ["one that adds to what was asked", "그리고 그건 며칠 가능해요?", [scored(REMOTE, 9)], false],
    ["a word that is everywhere", "신청은 어떻게 하나요?", [scored(CARD, 9)], false],
    ["nothing found", asked, [], false],
  ])("%s", (_what, question, alone, expected) => {
    const evidence = { together: [LEAVE], alone: { hits: alone, isAll: alone.length < 20 } };
    expect(hasOwnTopic(question, `연차휴가 ${question}`, evidence, createWords())).toBe(expected);
  });
});

/** What was searched for, and the passages that the answer cites from. */
async function askedAfterLeave(
  question: string,
  { instructed = null, cache = null }: Partial<Pick<Stages, "instructed" | "cache">> = {},
) {
  const searched: string[] = [];
  const change: Partial<Stages> = {
    instructed,
    cache,
    index: {
      ...fakeStages().index,
      search: async (_scope, { text = "" }) => {
        searched.push(text);
        return { byText: /연차|이월/.test(text) ? [LEAVE, CARD] : [CARD], byVector: [] };
      },
    },
  };
  const stages = fakeStages({ ...change, settings: { rewriteByModel: instructed !== null } });
  await askAll(stages, questionOf({ question: "연차휴가는 며칠인가요?" }));
  searched.length = 0;
  const { events } = await askAll(stages, questionOf({ question }));
  const found = events.find((event) => event.type === "source-list");
  if (found?.type !== "source-list") throw new Error("no sources");
  return {
    searched: searched.sort(),
    query: found.query,
    sources: found.sources.map(({ title }) => title),
    turn: stages.turns.at(-1),
  };
}

describe("a conversation that goes on to another topic", () => {
  test("is searched for as it was asked, and says so", async () => {
    const asked = "법인카드 한도는 얼마인가요?";
    const { searched, query, sources, turn } = await askedAfterLeave(asked);
    // By words alone, and with its vector.
    expect(searched).toEqual([`연차휴가 ${asked}`, asked, asked].sort());
    expect({ query, sources, kept: turn?.query }).toEqual({ query: asked, sources: ["법인카드"], kept: asked });
  });

  test("is kept as it was searched for, where the answer comes from the cache", async () => {
    const asked = "법인카드 한도는 얼마인가요?";
    const cache = memoryCache();
    const first = await askedAfterLeave(asked, { cache });
    const second = await askedAfterLeave(asked, { cache });
    expect(second).toMatchObject({ searched: [], query: asked, sources: first.sources, turn: { query: asked } });
  });

  test("what was found while a model tried to rewrite it is not searched for again", async () => {
    const asked = "법인카드 한도는 얼마인가요?";
    const { searched, query } = await askedAfterLeave(asked, { instructed: saying(broken()) });
    expect({ searched, query }).toEqual({ searched: [asked, asked, `연차휴가 ${asked}`], query: asked });
  });

  test("a follow-up is searched for with what was carried over, and is nothing else by its words alone", async () => {
    const asked = "이월 한도는 며칠인가요?";
    const { searched, query } = await askedAfterLeave(asked);
    expect({ searched, query }).toEqual({ searched: [`연차휴가 ${asked}`, asked], query: `연차휴가 ${asked}` });
  });

  test("one that points back is searched for once", async () => {
    const asked = "그럼 이월 한도는요?";
    const { searched, query } = await askedAfterLeave(asked);
    expect({ searched, query }).toEqual({ searched: [`연차휴가 ${asked}`], query: `연차휴가 ${asked}` });
  });
});
