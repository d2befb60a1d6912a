import { describe, expect, test } from "vitest";
import { factsOf } from "../../src/pipeline/extract.ts";
import { KINDS, referencesIn, shortForm } from "../../src/pipeline/short-form.ts";
import type { Stages } from "../../src/pipeline/stages.ts";
import { summarize } from "../../src/pipeline/summarize.ts";
import type { GenerateRequest } from "../../src/ports/language-model.ts";
import type { Entity, Turn } from "../../src/types.ts";
import { call } from "../support/calls.ts";
import { cpuMs } from "../support/cpu.ts";
import { askAll, emptySession, fakeStages, hang, modelOf, questionOf, withSessions } from "../support/stages.ts";

function turn(number: number, question: string, answer: string): Turn {
  const words = { question, query: question, answer };
  return { number, short: false, requestId: `${number}`, ...words, status: "complete", tokens: 1, at: "" };
}

const TURNS = [
  turn(1, "저는 통영 지사에서 일합니다. 연차는 며칠인가요?", "연차는 15일입니다."),
  turn(2, "My cost center is 7741-B.", "Noted."),
];

function replying(reply: string | (() => Promise<never>)) {
  const asked: GenerateRequest[] = [];
  const instructed = modelOf(async function* (request) {
    asked.push(request);
    if (typeof reply !== "string") await reply();
    else yield { type: "text", text: reply };
    yield { type: "end", finishReason: "stop" };
  });
  return { asked, stages: { ...fakeStages(), instructed } satisfies Stages };
}

describe("the summary of older turns", () => {
  test("by the language model: summary and facts apart, beside what rules find", async () => {
    const { stages, asked } = replying(
      "SUMMARY: 독자는 통영 지사 직원이다.\nFACTS:\n- 비용 코드: 7741-B\n- 지사: 통영",
    );
    const session = { ...emptySession("s"), summary: "인사를 나누었다." };
    const { summary, entities } = await summarize(stages, session, TURNS, 200, call());
    expect(summary).toBe("독자는 통영 지사 직원이다.");
    expect(entities).toEqual(expect.arrayContaining([{ name: "비용 코드", note: "7741-B", turn: 2 }]));
    expect(entities.map(({ note }) => note)).toContain("My cost center is 7741-B.");
    expect(asked[0]?.messages[1]?.content).toContain("인사를 나누었다.");
  });

  test.each([
    ["SUMMARY: 독자는 연차를 물었다.\n팀장이 승인한다.\nFACTS:\n- 사번: 1"],
    ["SUMMARY:\n독자는 연차를 물었다.\n팀장이 승인한다.\n\nFACTS:\n* 사번: 1"],
    ["**SUMMARY:**\n독자는 연차를 물었다.\n팀장이 승인한다.\n\n**FACTS:**\n- **사번**: 1"],
    ["**Summary**: 독자는 연차를 물었다.\n팀장이 승인한다.\n**Facts**:\n1. 사번: 1"],
    ["Here it is.\n\n## SUMMARY\n독자는 연차를 물었다.\n팀장이 승인한다.\n## FACTS\n- 사번： 1"],
  ])("however a model decorates its headings: %j", async (reply) => {
    const { summary, entities } = await summarize(replying(reply).stages, emptySession("s"), TURNS, 200, call());
    expect(summary).toBe("독자는 연차를 물었다.\n팀장이 승인한다.");
    expect(entities).toContainEqual({ name: "사번", note: "1", turn: 2 });
  });

  test("is not written by rules where the step itself was given up", async () => {
    const controller = new AbortController();
    const { stages } = replying(async () => {
      controller.abort(new Error("given up"));
      return hang();
    });
    const summary = summarize(stages, emptySession("s"), TURNS, 200, { ...call(), signal: controller.signal });
    await expect(summary).rejects.toThrow("given up");
  });

  test("of two facts that only their names tell apart both are kept", async () => {
    const { stages } = replying("SUMMARY: ok\nFACTS:\n- 휴가: 승인\n- 예산: 승인");
    const { entities } = await summarize(stages, emptySession("s"), TURNS, 200, call());
    expect(entities.filter(({ note }) => note === "승인").map(({ name }) => name)).toEqual(["휴가", "예산"]);
  });

  test.each([
    ["hangs", hang],
    ["says something else", "Sure! What would you like?"],
    ["runs away", `SUMMARY: ${"길다 ".repeat(3000)}`],
  ] as const)("a model that %s is replaced by rules, in time", async (_, reply) => {
    const { stages } = replying(reply as string);
    const { summary, entities } = await summarize(stages, emptySession("s"), TURNS, 200, call());
    expect(summary.split("\n")).toEqual([
      "저는 통영 지사에서 일합니다. 연차는 며칠인가요? → 연차는 15일입니다.",
      "My cost center is 7741-B. → Noted.",
    ]);
    expect(entities.map(({ note }) => note)).toEqual(
      expect.arrayContaining(["저는 통영 지사에서 일합니다.", "연차는 15일입니다.", "My cost center is 7741-B."]),
    );
  });

  test("a reply of nothing but line ends is read in linear time", async () => {
    const { stages } = replying("\r\u2028".repeat(60_000));
    const started = cpuMs();
    await summarize(stages, emptySession("s"), TURNS, 20_000, call());
    expect(cpuMs() - started).toBeLessThan(1500);
  });

  test("what is told to the model fits its window", async () => {
    const { stages, asked } = replying("SUMMARY: ok");
    const long = Array.from({ length: 32 }, (_, i) => turn(i + 1, "가".repeat(5000), "나".repeat(5000)));
    await summarize(stages, emptySession("s"), long, 200, call());
    const size = asked[0]?.messages.reduce((sum, { content }) => sum + content.length + 4, 3) ?? 0;
    expect(size + (asked[0]?.maxOutputTokens ?? 0)).toBeLessThanOrEqual(stages.model.contextTokensMax);
  });

  test("questions and requests state nothing; bulk is recorded under its kind", () => {
    const code = `\`\`\`ts\n${"const a = 1;\n".repeat(6)}\`\`\``;
    const facts = factsOf([turn(7, "주차장을 알려 주세요. Is there a garage?", `여기 있습니다.\n\n${code}`)]);
    expect(facts.map(({ name, turn: number }) => [name, number])).toContainEqual(["code", 7]);
    expect(facts.map(({ note }) => note).join(" ")).not.toMatch(/주차장|garage/);
  });

  test("a citation behind its sentence is no fact, a number that the reader tells is one", () => {
    const facts = factsOf([turn(1, "20231187", "연차는 15일입니다. [1][2]")]);
    expect(facts.map(({ note }) => note)).toEqual(["20231187", "연차는 15일입니다."]);
  });
});

describe("a recorded fact in the prompt", () => {
  const facts = [
    ["사번", "20231187"],
    ["팀 예산", "3,200만 원"],
    ["reader", "저는 통영 지사에서 일합니다."],
    ...Array.from({ length: 10 }, (_, i) => [`규정 ${i}`, `제${i}조`]),
  ].map(([name = "", note = ""]): Entity => ({ name, note, turn: 1 }));
  const [learned] = factsOf([turn(1, "", "임대료는 월 90만 원입니다.")]);

  test.each([
    ["제 사번 알려 주세요", "\n- 사번: 20231187"],
    ["팀 예산이 얼마였죠?", "\n- 팀 예산: 3,200만 원"],
    ["통영 지사는 어디인가요?", "\n- 저는 통영 지사에서 일합니다."],
    ["임대료는 월 얼마였죠?", "\n- 임대료는 월 90만 원입니다."],
  ])("%s: by its name, where what was said does not hold that", async (question, expected) => {
    const prompts: GenerateRequest[] = [];
    const model = modelOf(async function* (request) {
      prompts.push(request);
      yield { type: "end", finishReason: "stop" };
    });
    const entities = learned ? [...facts, learned] : facts;
    const session = { ...emptySession("s"), summarizedTurns: 1, turnCount: 1, entities };
    const begin = async () => ({ session, recorded: Promise.resolve() });
    await askAll(fakeStages({ ...withSessions({ begin }), model }), questionOf({ question }));
    expect(prompts[0]?.messages[1]?.content).toContain(expected);
  });
});

describe("short forms", () => {
  test("tables, code, quotations and repetitions become references; short ones and plain text stay", () => {
    const table = `| 이름 | 값 |\n|---|---|\n${"| a | 1 |\n".repeat(14)}`;
    const quoted = `> ${"길고 긴 인용문입니다. ".repeat(20)}\n`;
    const seen = new Map<string, number>();
    const paragraph = "같은 문단이 다시 나온다. ".repeat(8).trim();
    expect(shortForm(`앞\n\n${table}\n뒤`, 3)).toBe("앞\n\n[table, 14 rows: turn 3; 이름 값]\n\n뒤");
    expect(shortForm(quoted, 4)).toMatch(/^\[quoted passage, \d+ characters: turn 4; 길고 긴/);
    expect(shortForm("```py\nx = 1\n```", 5)).toBe("```py\nx = 1\n```");
    expect(shortForm(paragraph, 1, seen)).toBe(paragraph);
    expect(shortForm(`머리\n\n${paragraph}`, 6, seen)).toMatch(/^머리\n\n\[repeated text, \d+ characters: turn 1\]$/);
    expect(shortForm("짧은 글.", 2)).toBe("짧은 글.");
  });

  test("a table is asked for by its name and its rows', not by nouns that hold those syllables", () => {
    const asks = (question: string) => KINDS.table?.test(question);
    const asking = [
      "표에서 얼마인가요?",
      "그 가격표를 다시 보여 주세요",
      "3행은?",
      "두 번째 열의 값",
      "행과 열을 바꿔 줘",
      "the last row",
    ];
    const other = [
      "휴가는 어떻게 진행하나요?",
      "은행 계좌는?",
      "여행 경비는?",
      "행사 일정",
      "자료 열람",
      "올해 목표는?",
      "대표가 누구죠?",
    ];
    expect(asking.filter((question) => !asks(question))).toEqual([]);
    expect(other.filter(asks)).toEqual([]);
  });

  test("references are looked for in linear time", () => {
    const started = cpuMs();
    expect(referencesIn("[text".repeat(40_000) + ": turn 1; ".repeat(20_000))).toEqual([]);
    expect(cpuMs() - started).toBeLessThan(1500);
    const [found] = referencesIn(`그는 ${shortForm(`“${"가나다 ".repeat(100)}”`, 3)}`);
    expect(found).toMatchObject({ kind: "quoted passage", hint: expect.stringMatching(/^가나다/) });
  });

  test("a very long text loses its middle, in linear time, and no character is halved", () => {
    const short = shortForm("🏝️".repeat(100_000), 9);
    expect(short.length).toBeLessThan(1800);
    expect(short.isWellFormed()).toBe(true);
    expect(short).toContain(": turn 9]");
    for (const hostile of [
      "`".repeat(200_000),
      "|".repeat(200_000),
      ">\n".repeat(100_000),
      "“".repeat(200_000),
      '"'.repeat(200_000),
    ]) {
      const startedAt = performance.now();
      shortForm(hostile, 1);
      expect(performance.now() - startedAt).toBeLessThan(1500);
    }
  });
});
