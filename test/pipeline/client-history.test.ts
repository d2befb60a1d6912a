import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { createO200kCounter } from "../../src/adapters/token-counter/o200k.ts";
import { budgetOf } from "../../src/pipeline/budget.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import type { GenerateRequest } from "../../src/ports/language-model.ts";
import type { Message } from "../../src/types.ts";
import { remembered } from "../../src/wrap/remembered.ts";
import { postJson } from "../support/http.ts";
import { addPages, serveRagline } from "../support/ragline.ts";
import { askAll, endOf, fakeStages, modelOf, questionOf } from "../support/stages.ts";
import { stubModel } from "../support/stub-model.ts";

const TABLE = [
  "| 도시 | 한도 |",
  "|---|---|",
  ...Array.from({ length: 30 }, (_, i) => `| 도시${i} | ${i * 1000}원 |`),
].join("\n");

/** 300 messages; in the 20th turn a fact, in the 40th a table, in the 60th an answer that is neither short nor told by the reader. */
function history(): Message[] {
  return Array.from({ length: 150 }, (_, i): Message[] => {
    const question =
      i === 19 ? "참고로 제 사번은 E-48213입니다. 휴가 규정은요?" : `${i}번째로 묻는 휴가 규정은 무엇인가요?`;
    let answer = `휴가 규정 제${i}조는 다음과 같습니다. ${"연차는 해마다 늘어납니다. ".repeat(4)}`;
    if (i === 39) answer = `숙박비 한도입니다.\n\n${TABLE}`;
    if (i === 59) answer = "예비 열쇠를 느티나무 보관함에 두었다고 총무팀이 알려 왔습니다.";
    return [
      { role: "user", content: question },
      { role: "assistant", content: answer },
    ];
  }).flat();
}

/** What is sent to the model for a question after that history. */
async function asked(question: string, messages = history()) {
  const prompts: GenerateRequest[] = [];
  const answering = modelOf(async function* (request) {
    prompts.push(request);
    yield { type: "text", text: "네." };
    yield { type: "end", finishReason: "stop" };
  });
  const model = { ...answering, contextTokensMax: 6000 };
  const stages: Stages = { ...fakeStages({ settings: { limitsMs: {} } }), model, counter: await createO200kCounter() };
  const { last } = await askAll(stages, questionOf({ question, history: messages }));
  const sent = prompts.at(-1)?.messages.slice(0, -1) ?? [];
  return { ...endOf(last), text: sent.map(({ content }) => content).join("\n"), budget: budgetOf(stages) };
}

test("a question that got no answer still says what the next ones are about", async () => {
  const messages: Message[] = [
    { role: "user", content: "육아휴직 신청 방법을 알려 주세요." },
    { role: "user", content: "그건 언제까지인가요?" },
    { role: "assistant", content: "3월 31일까지입니다." },
  ];
  const { events } = await askAll(fakeStages(), questionOf({ question: "나눠 쓸 수 있어요?", history: messages }));
  expect(events[1]).toMatchObject({ query: expect.stringContaining("육아휴직") });
});

test("the latest question, where it got no answer, is shown with word of that: roles take turns", async () => {
  const prompts: GenerateRequest[] = [];
  const model = modelOf(async function* (request) {
    prompts.push(request);
    yield { type: "text", text: "네." };
    yield { type: "end", finishReason: "stop" };
  });
  const messages: Message[] = [{ role: "user", content: "연차는 며칠인가요?" }];
  await askAll(fakeStages({ model }), questionOf({ question: "반차도요?", history: messages }));
  expect(prompts[0]?.messages.slice(1, -1)).toEqual([
    { role: "user", content: "연차는 며칠인가요?" },
    { role: "assistant", content: "(This question was not answered.)" },
  ]);
});

test("of a history that the client keeps no store hears", async () => {
  const stages = fakeStages();
  await askAll(stages, questionOf({ history: [] }));
  await askAll(stages, questionOf({ history: history().slice(0, 2) }));
  expect(stages.turns).toEqual([]);
});

test("while a long history is counted others are served", async () => {
  const messages = history().slice(0, 100);
  const long = new Set(messages.filter(({ role }) => role === "assistant").map(({ content }) => content));
  const counter = remembered({
    name: "slow",
    count(text) {
      for (const until = performance.now() + (long.has(text) ? 5 : 0); performance.now() < until; );
      return text.length;
    },
  });
  let longestMs = 0;
  let isOver = false;
  const others = (async () => {
    for (let since = performance.now(); !isOver; since = performance.now()) {
      await nextTurn();
      longestMs = Math.max(longestMs, performance.now() - since);
    }
  })();
  const { last } = await askAll(fakeStages({ counter }), questionOf({ history: messages }));
  isOver = true;
  await others;
  expect(endOf(last).timings.session).toBeGreaterThan(200);
  expect(longestMs).toBeLessThan(150);
});

describe("a history of 300 messages that the client keeps", () => {
  test("the latest turns, the outline of older ones, and within the budget", async () => {
    const { ledger, text, budget, degraded } = await asked("그럼 병가는요?");
    expect(degraded).toEqual([]);
    expect(text).toContain("149번째로 묻는");
    expect(ledger?.rungs.map(({ rung }) => rung)).toEqual(expect.arrayContaining(["raw", "summary"]));
    expect(ledger?.total).toBeLessThanOrEqual(budget.windowTokens - budget.expectedOutput);
  });

  test.each([
    ["a fact the reader told", "제 사번이 뭐였죠?", "E-48213"],
    ["a table", "그 표에서 도시17의 한도는 얼마였죠?", "| 도시17 | 17000원 |"],
    ["an older answer, by its words", "예비 열쇠는 어느 보관함에 있나요?", "느티나무"],
  ])("%s is found again when it is asked for", async (_, question, key) => {
    const { text, ledger } = await asked(question);
    expect(text).toContain(key);
    expect(ledger?.rungs.map(({ rung }) => rung)).toContain("recall");
  });

  test("what nobody asks for is not loaded", async () => {
    const { text } = await asked("병가 규정은 무엇인가요?");
    expect(text).not.toContain("도시17");
    expect(text).not.toContain("느티나무");
  });

  test("one message of 200,000 characters and a history that begins with an answer still answer", async () => {
    const long: Message[] = [
      { role: "assistant", content: "무엇을 도와 드릴까요?" },
      { role: "user", content: "연차를 알려 주세요. ".repeat(20_000).slice(0, 200_000) },
      { role: "assistant", content: "15일입니다." },
    ];
    const { ledger, budget } = await asked("왜요?", [...history().slice(0, 290), ...long]);
    expect(ledger?.total).toBeLessThanOrEqual(budget.windowTokens - budget.expectedOutput);
  });
});

test("both ways in treat it the same", async () => {
  const upstream = await stubModel();
  const served = await serveRagline({
    generate: { use: "openai", baseUrl: upstream.url, model: "m" },
    cache: { use: "none" },
    rewrite: { use: "rules" },
  } as Parameters<typeof serveRagline>[0]);
  await addPages(served.ragline);
  const question = "예비 열쇠는 어느 보관함에 있나요?";
  const native = await postJson(
    `${served.url}/v1/ask`,
    { question, history: history() },
    { accept: "application/json" },
  );
  expect(native.status).toBe(200);
  const messages = [...history(), { role: "user", content: question }];
  expect((await postJson(`${served.url}/v1/chat/completions`, { messages })).status).toBe(200);
  const [one, other] = upstream.requests.map(({ body }) => body.messages);
  expect(other).toEqual(one);
  expect(JSON.stringify(one)).toContain("느티나무");
  await served.close();
  await upstream.close();
});
