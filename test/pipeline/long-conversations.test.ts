import { expect, onTestFinished, test } from "vitest";
import { createSqliteSessionStore } from "../../src/adapters/session-store/sqlite.ts";
import { Database } from "../../src/adapters/sqlite/database.ts";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { GenerateRequest } from "../../src/ports/language-model.ts";
import type { FinishedTurn } from "../../src/types.ts";
import { call, SCOPE } from "../support/calls.ts";
import { folderForTest } from "../support/folder.ts";
import { askAll, endOf, fakeStages, modelOf, questionOf, SETTINGS } from "../support/stages.ts";

const WINDOW = 4000;

/** Stages over a real store, with the real counter; every prompt that was sent is kept. */
async function conversation(change: Partial<Stages> = {}) {
  const database = Database.open(folderForTest().file("sessions.db"));
  onTestFinished(() => database.close());
  const prompts: GenerateRequest[] = [];
  const answering = modelOf(async function* (request) {
    prompts.push(request);
    yield { type: "text", text: "네 [1]." };
    yield { type: "end", finishReason: "stop" };
  });
  const sessions = createSqliteSessionStore(database, { leaseMs: 60_000, pendingMax: 64 });
  const counter = await createO200kCounter();
  const model = { ...answering, contextTokensMax: WINDOW };
  const stages: Stages = { ...fakeStages({ settings: { limitsMs: {} } }), sessions, counter, model, ...change };
  return { stages, prompts, counter };
}

async function fill(
  { sessions, counter }: Stages,
  exchanges: readonly (readonly [question: string, answer: string])[],
) {
  for (let start = 0; start < exchanges.length; start += 50) {
    await Promise.all(
      exchanges.slice(start, start + 50).map(async ([question, answer], i) => {
        const requestId = `old-${start + i}`;
        const tokens = counter.count(question) + counter.count(answer);
        const turn: FinishedTurn = { requestId, question, query: question, answer, status: "complete", tokens, at: "" };
        const { recorded } = await sessions.begin(SCOPE, "session", { requestId, question, tokens: 1 }, 1, call());
        await recorded;
        await sessions.finish(SCOPE, "session", turn, call());
      }),
    );
  }
}

function sizeOf(request: GenerateRequest, counter: Stages["counter"]): number {
  return request.messages.reduce((sum, { content }) => sum + counter.count(content) + 4, 3) + request.maxOutputTokens;
}

test.each([
  ["5,000 turns", Array.from({ length: 5000 }, (_, i) => [`Question ${i}?`, `Answer ${i}.`] as const)],
  [
    "one turn of 200,000 characters",
    [["긴 글을 보여 주세요", "휴가 규정은 다음과 같다. ".repeat(15_000).slice(0, 200_000)] as const],
  ],
  [
    "1,000 turns of Korean",
    Array.from(
      { length: 1000 },
      (_, i) => [`${i}번째 연차 질문`, "연차는 15일이고 매년 늘어난다. ".repeat(10)] as const,
    ),
  ],
])("a conversation goes on after %s", async (_, exchanges) => {
  const { stages, prompts, counter } = await conversation();
  await fill(stages, exchanges);
  for (const question of ["그럼 병가는요?", "And after that?", "왜요?"]) {
    const { last } = await askAll(stages, questionOf({ question }));
    const { ledger, degraded } = endOf(last);
    expect(degraded).toEqual([]);
    expect(ledger?.rungs.length).toBeGreaterThan(0);
  }
  for (const prompt of prompts) expect(sizeOf(prompt, counter)).toBeLessThanOrEqual(WINDOW);
  const session = await stages.sessions.load(SCOPE, "session", 100, call());
  expect(session.turnCount).toBe(exchanges.length + 3);
});

test("facts told early are in the prompt when they are asked for, and the rungs that brought them are named", async () => {
  const { stages, prompts } = await conversation();
  const said = "제 사번은 E-48213이고 라일락동에서 일합니다.";
  await askAll(stages, questionOf({ question: said }));
  for (let i = 0; i < 40; i++) await askAll(stages, questionOf({ question: `${i}번째 질문: 휴가 규정이 무엇인가요?` }));
  const { last } = await askAll(stages, questionOf({ question: "제 사번이 뭐였죠?" }));
  const history = prompts.at(-1)?.messages.slice(0, -1) ?? [];
  expect(history.some(({ content }) => content.includes("E-48213"))).toBe(true);
  for (const question of [
    "아까 말한 제 사번이 뭐였죠?",
    "처음에 말씀드린 제 사번 다시 알려줄래요?",
    "내가 누군지 기억나?",
  ]) {
    await askAll(stages, questionOf({ question }));
    const told = prompts.at(-1)?.messages.map(({ content }) => content.split("Earlier turns:")[0]);
    expect(told?.slice(0, -1).join("\n"), question).toMatch(/Said before:[\s\S]*E-48213/);
  }
  const rungs = endOf(last).ledger?.rungs.map(({ rung }) => rung);
  expect(rungs).toEqual(["raw", "summary", "recall"]);
  expect(history.filter(({ role }) => role === "user").length).toBeLessThanOrEqual(2 * SETTINGS.rawTurns);
});

test("a table becomes a reference once it is older, and comes back when it is asked for", async () => {
  const table = [
    "| 도시 | 한도 |",
    "|---|---|",
    ...Array.from({ length: 120 }, (_, i) => `| 도시${i} | ${i * 1000}원 |`),
  ].join("\n");
  const answers = [`한도는 다음과 같습니다.\n\n${table}`, "네.", "네.", "네.", "네."];
  const model = modelOf(async function* () {
    yield { type: "text", text: answers.shift() ?? "네." };
    yield { type: "end", finishReason: "stop" };
  });
  const { stages, counter } = await conversation();
  const seen: GenerateRequest[] = [];
  const watched: Stages = {
    ...stages,
    settings: { ...stages.settings, rawTurns: 3, compactStartRatio: 0.35, expectedOutputTokens: 1000 },
    model: {
      ...model,
      contextTokensMax: 8000,
      stream(request, options) {
        seen.push(request);
        return model.stream(request, options);
      },
    },
  };
  for (const question of ["숙박비 한도가 어떻게 되나요?", "알겠습니다.", "주차장은 있나요?", "식당은요?"]) {
    await askAll(watched, questionOf({ question }));
  }
  const session = await stages.sessions.load(SCOPE, "session", 10, call());
  expect(session.turns[0]).toMatchObject({ number: 1, short: true });
  expect(session.turns[0]?.answer).toContain("[table, 120 rows: turn 1; 도시 한도]");
  await askAll(watched, questionOf({ question: "휴게실은 몇 층인가요?" }));
  expect(seen.at(-1)?.messages.some(({ content }) => content.includes("도시77"))).toBe(false);
  const { last } = await askAll(watched, questionOf({ question: "그 표에서 도시77은 얼마였죠?" }));
  expect(seen.at(-1)?.messages.some(({ content }) => content.includes("| 도시77 | 77000원 |"))).toBe(true);
  expect(endOf(last).degraded).toEqual([]);
  expect(
    counter.count(
      seen
        .at(-1)
        ?.messages.map(({ content }) => content)
        .join("") ?? "",
    ),
  ).toBeLessThan(8000);
});
