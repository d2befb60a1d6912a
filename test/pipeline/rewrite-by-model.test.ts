import { describe, expect, test } from "vitest";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { GenerateRequest } from "../../src/ports/language-model.ts";
import type { Turn } from "../../src/types.ts";
import {
  askAll,
  emptySession,
  endOf,
  type FakeStages,
  FOUND,
  fakeStages,
  hang,
  modelOf,
  passage,
  questionOf,
} from "../support/stages.ts";

const BEFORE: Turn = {
  number: 1,
  short: false,
  requestId: "r",
  question: "육아휴직은 자녀가 몇 살일 때까지 쓸 수 있어요?",
  query: "육아휴직은 자녀가 몇 살일 때까지 쓸 수 있어요?",
  answer: "만 8세 이하의 자녀를 양육하기 위해 육아휴직을 신청할 수 있습니다.",
  status: "complete",
  tokens: 40,
  at: "",
};

/** A conversation with one turn behind it, and a model that rewrites like this; what it was asked, and what was searched for. */
function stagesWith(
  reply: string | (() => Promise<never>),
  change: Partial<Stages> = {},
  turns: readonly Turn[] = [BEFORE],
) {
  const asked: GenerateRequest[] = [];
  const searched: string[] = [];
  const base = fakeStages();
  const session = { ...emptySession("session"), version: turns.length, turns, turnCount: turns.length };
  const stages: FakeStages = {
    ...base,
    instructed: modelOf(async function* (request) {
      asked.push(request);
      if (typeof reply !== "string") await reply();
      else yield { type: "text", text: reply };
      yield { type: "end", finishReason: "stop" };
    }),
    index: {
      ...base.index,
      search: async (_scope, { text }) => {
        searched.push(text ?? "");
        return { byText: FOUND, byVector: [] };
      },
    },
    sessions: { ...base.sessions, begin: async () => ({ session, recorded: Promise.resolve() }) },
    ...change,
  };
  return { stages, asked, searched };
}

const FOLLOW_UP = "나눠 쓸 수 있어요?";
const REWRITTEN = "육아휴직을 나누어 사용할 수 있나요?";

function queryOf(events: readonly { readonly type: string }[]): string {
  const list = events.find((event) => event.type === "source-list");
  return list && "query" in list ? String(list.query) : "";
}

describe("rewriting by the language model", () => {
  test("a follow-up is searched as the model has it; the prompt shows what was asked", async () => {
    const prompts: GenerateRequest[] = [];
    const model = modelOf(async function* (request) {
      prompts.push(request);
      yield { type: "text", text: "네." };
      yield { type: "end", finishReason: "stop" };
    });
    const { stages, asked, searched } = stagesWith(`"${REWRITTEN}"\n`, { model });
    const { events, last } = await askAll(stages, questionOf({ question: FOLLOW_UP }));
    expect(queryOf(events)).toBe(REWRITTEN);
    expect(endOf(last).degraded).toEqual([]);
    expect(searched).toEqual([FOLLOW_UP, REWRITTEN]);
    expect(prompts[0]?.messages.at(-1)?.content.endsWith(`Question: ${FOLLOW_UP}`)).toBe(true);
    expect(asked[0]?.maxOutputTokens).toBe(64);
    expect(asked[0]?.messages[1]?.content).toContain(BEFORE.question);
  });

  test("a first turn and a question that stands alone pay nothing", async () => {
    const first = stagesWith(REWRITTEN, {}, []);
    await askAll(first.stages, questionOf({ question: FOLLOW_UP }));
    const alone = stagesWith(REWRITTEN);
    await askAll(alone.stages, questionOf({ question: "회사 노트북을 잃어버리면 보안팀에 언제까지 신고해야 하나요?" }));
    expect([first.asked, alone.asked]).toEqual([[], []]);
    expect([first.searched.length, alone.searched.length]).toEqual([1, 1]);
  });

  test("a request that wants no rewriting is searched as it is asked, by no model and no rules", async () => {
    const { stages, asked, searched } = stagesWith(REWRITTEN);
    const { events, last } = await askAll(stages, questionOf({ question: FOLLOW_UP, useRewrite: false }));
    expect(queryOf(events)).toBe(FOLLOW_UP);
    expect([asked, searched]).toEqual([[], [FOLLOW_UP]]);
    expect(endOf(last)).toMatchObject({ degraded: [] });
    expect(endOf(last).timings).not.toHaveProperty("rewrite");
  });

  test.each([
    ["is empty", "  \n "],
    ["runs away", "육아휴직을 ".repeat(200)],
    ["is in another language", "May parental leave be taken in several parts by the employee?"],
    ["is in another language, though it holds a word of the reader's", "May 육아휴직 be taken in several parts?"],
    ["answers instead", "네, 세 번까지입니다."],
    ["is only reasoning", "<think>The reader wants …"],
  ])("a reply that %s is not used: rules rewrite, and it is said", async (_, reply) => {
    const { stages } = stagesWith(reply);
    const { events, last } = await askAll(stages, questionOf({ question: FOLLOW_UP }));
    expect(queryOf(events)).toMatch(/육아휴직.* 나눠 쓸 수 있어요\?$/);
    expect(endOf(last).degraded).toEqual([
      { step: "rewrite", reason: "dependency_failed", fallback: "rewritten by rules" },
    ]);
  });

  test("a model that hangs costs its own deadline, not the answer", async () => {
    const { stages } = stagesWith(hang);
    const { events, last } = await askAll(stages, questionOf({ question: FOLLOW_UP }));
    expect(queryOf(events)).toContain("육아휴직");
    expect(endOf(last).degraded).toMatchObject([{ step: "rewrite", reason: "dependency_timeout" }]);
  });

  test("the early search is used where the best passages hold every word that the rewrite adds", async () => {
    const found = [1, 2, 3].map((n) => ({
      passage: passage(`p${n}`, "육아휴직을 나누어 사용할 수 있나요"),
      score: 4 - n,
    }));
    const { stages } = stagesWith(REWRITTEN);
    const searched: string[] = [];
    const index: Stages["index"] = {
      ...stages.index,
      search: async (_scope, { text }) => {
        searched.push(text ?? "");
        return { byText: found, byVector: [] };
      },
    };
    const { events } = await askAll({ ...stages, index }, questionOf({ question: FOLLOW_UP }));
    expect(searched).toEqual([FOLLOW_UP]);
    expect(queryOf(events)).toBe(REWRITTEN);
  });

  test("an early search that fails is not the request's failure", async () => {
    const { stages } = stagesWith(REWRITTEN);
    let calls = 0;
    const index: Stages["index"] = {
      ...stages.index,
      search: async () => {
        if (++calls === 1) throw new Error("broken");
        return { byText: FOUND, byVector: [] };
      },
    };
    const settings = { ...stages.settings, searchRetries: 0 };
    const { last } = await askAll({ ...stages, index, settings }, questionOf({ question: FOLLOW_UP }));
    expect(last.type).toBe("answer-end");
    expect(calls).toBe(2);
  });
});
