import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ArrivalOptions, planArrivals } from "../../src/load/arrivals.ts";
import type { Plan } from "../../src/load/plan.ts";
import { questionsAbout, readQuestions } from "../../src/load/questions.ts";
import { planTrace } from "../../src/load/trace.ts";
import { temporaryFolder } from "../support/folder.ts";

const QUESTIONS = ["가?", "나?", "다?"];
const POISSON: ArrivalOptions = { rate: 50, seconds: 200, process: "poisson", turns: 1, thinkMs: 0, seed: 1 };

const starts = ({ sessions }: Plan) => sessions.map(([{ at }]) => at);
const gaps = (plan: Plan) => starts(plan).map((at, n, all) => at - (all[n - 1] ?? 0));
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe("arrivals", () => {
  test("Poisson: as many as the rate says, with gaps whose deviation is their mean", () => {
    const plan = planArrivals(QUESTIONS, POISSON);
    // 10,000 are expected; five standard deviations are 500.
    expect(Math.abs(plan.sessions.length - 10_000)).toBeLessThan(500);
    const all = gaps(plan);
    const average = mean(all);
    expect(average).toBeCloseTo(20, 0);
    const deviation = Math.sqrt(mean(all.map((gap) => (gap - average) ** 2)));
    expect(deviation / average).toBeGreaterThan(0.95);
    expect(deviation / average).toBeLessThan(1.05);
  });

  test("constant: equal gaps", () => {
    const plan = planArrivals(QUESTIONS, { ...POISSON, process: "constant", rate: 4, seconds: 2 });
    expect(starts(plan)).toEqual([250, 500, 750, 1000, 1250, 1500, 1750]);
  });

  test("conversations: the mean length is the one asked for, and the rate counts all turns", () => {
    const plan = planArrivals(QUESTIONS, { ...POISSON, turns: 4, thinkMs: 1000 });
    const turns = plan.sessions.reduce((sum, { length }) => sum + length, 0);
    expect(turns / plan.sessions.length).toBeGreaterThan(3.7);
    expect(turns / plan.sessions.length).toBeLessThan(4.3);
    expect(turns / 200).toBeGreaterThan(45);
    expect(turns / 200).toBeLessThan(55);
    const thought = plan.sessions.flatMap(([, ...later]) =>
      later.map((turn) => ("thinkMs" in turn ? turn.thinkMs : 0)),
    );
    expect(mean(thought) / 1000).toBeCloseTo(1, 1);
  });

  test("a plan is its seed's: in order, within its time, and the same again", () => {
    const options = fc.record({
      rate: fc.double({ min: 0.1, max: 200, noNaN: true }),
      seconds: fc.integer({ min: 1, max: 5 }),
      process: fc.constantFrom("poisson", "constant"),
      turns: fc.double({ min: 1, max: 5, noNaN: true }),
      thinkMs: fc.nat(5000),
      seed: fc.nat(),
    });
    fc.assert(
      fc.property(options, (chosen) => {
        const plan = planArrivals(QUESTIONS, chosen);
        const at = starts(plan);
        expect(at).toEqual(at.toSorted((a, b) => a - b));
        expect(at.every((time) => time > 0 && time < plan.ms)).toBe(true);
        expect(planArrivals(QUESTIONS, chosen)).toEqual(plan);
      }),
      { numRuns: 50 },
    );
  });

  test("questions come in turn", () => {
    const plan = planArrivals(QUESTIONS, { ...POISSON, seconds: 0.2 });
    const asked = plan.sessions.map(([{ question }]) => question);
    expect(asked.slice(0, 4)).toEqual(["가?", "나?", "다?", "가?"]);
  });
});

describe("traces and questions in files", () => {
  const folder = temporaryFolder();
  const write = async (name: string, text: string) => {
    await writeFile(folder.file(name), text);
    return folder.file(name);
  };
  afterAll(() => folder.remove());

  test("a trace keeps its distances, its conversations, and which questions are the same", async () => {
    const file = await write(
      "trace.jsonl",
      [
        { t: 100, session: "a", user_input: [7] },
        { t: 104, session: "b", user_input: [8] },
        { t: 110, session: "a", user_input: [8] },
        { t: 120 },
        { t: 130, user_input: "7" },
      ]
        .map((row) => JSON.stringify(row))
        .join("\n"),
    );
    const plan = await planTrace(QUESTIONS, { file, compress: 10, seconds: null });
    expect(plan.sessions).toEqual([
      [
        { question: "가?", at: 0 },
        { question: "나?", at: 1000 },
      ],
      [{ question: "나?", at: 400 }],
      [{ question: "다?", at: 2000 }],
      [{ question: "가?", at: 3000 }],
    ]);
    expect(plan.arrivals).toContain("10 times as fast");
    const short = await planTrace(QUESTIONS, { file, compress: 10, seconds: 1.5 });
    expect(short.sessions.flat()).toHaveLength(3);
  });

  test("milliseconds under timestamp, and rows out of order", async () => {
    const file = await write("mooncake.jsonl", '{"timestamp": 3000}\n{"timestamp": 1000}\n\n{"timestamp": 1500}\n');
    const plan = await planTrace(QUESTIONS, { file, compress: 1, seconds: null });
    expect(starts(plan)).toEqual([0, 500, 2000]);
  });

  test.each([
    ["no JSON", '{"t": 1}\nnonsense', "line 2"],
    ["no time", '{"session": 3}', "line 1"],
    ["a time that is none", '{"t": "soon"}', "line 1, t"],
    ["nothing", "\n", "holds no rows"],
  ])("a trace that is none is refused by line: %s", async (name, text, message) => {
    const file = await write(`${name}.jsonl`, text);
    await expect(planTrace(QUESTIONS, { file, compress: 1, seconds: null })).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringContaining(message),
    });
  });

  test("questions as lines, or as JSONL of either form", async () => {
    const file = await write("questions", '연차는?\n\n{"text": "병가는?"}\n{"question": "퇴직금은?", "id": 3}\n');
    expect((await readQuestions(file)).questions).toEqual(["연차는?", "병가는?", "퇴직금은?"]);
    await expect(readQuestions(folder.file("absent"))).rejects.toMatchObject({ code: "request_invalid" });
    await expect(readQuestions(await write("bad", '{"id": 1}'))).rejects.toThrow("line 1");
  });

  test("questions in another encoding are refused, rather than asked garbled; a byte order mark is part of none", async () => {
    const korean = folder.file("cp949");
    await writeFile(korean, Buffer.from([0xbf, 0xac, 0xc2, 0xf7, 0x3f])); // 연차? in CP949
    await expect(readQuestions(korean)).rejects.toMatchObject({
      code: "request_invalid",
      message: expect.stringContaining("cp949 is not UTF-8"),
    });
    const marked = await write("marked", '\uFEFF{"text": "연차는?"}\n');
    expect((await readQuestions(marked)).questions).toEqual(["연차는?"]);
  });

  test("no questions given: the handbook's where it is indexed, else about the titles", async () => {
    const handbook = await questionsAbout([{ id: "ko/severance-early-settlement.md", title: "중간정산" }]);
    expect(handbook.from).toContain("handbook");
    expect(handbook.questions.length).toBeGreaterThan(30);
    const titles = await questionsAbout([
      { id: "a.md", title: "휴가 규정" },
      { id: "b.md", title: "Security" },
    ]);
    expect(titles.questions).toEqual(["휴가 규정에 대해 알려 주세요.", "What does it say about Security?"]);
    await expect(questionsAbout([])).rejects.toMatchObject({ code: "not_found" });
  });
});

const TRACES = join(process.env.RAGLINE_SHARED ?? resolve(import.meta.dirname, "../../../shared"), "data/traces");
describe.skipIf(!existsSync(TRACES))("recorded traces (RAGLINE_SHARED)", () => {
  let plan: Plan;
  beforeAll(async () => {
    plan = await planTrace(QUESTIONS, { file: join(TRACES, "ragpulse_week1.jsonl"), compress: 2000, seconds: null });
  });

  test("RAGPulse: a week's conversations in five minutes", () => {
    expect(plan.sessions.length).toBe(2215);
    expect(plan.sessions.flat()).toHaveLength(3800);
    expect(plan.ms / 1000).toBeCloseTo(604_371 / 2000, 0);
    for (const session of plan.sessions) {
      const at = session.map((turn) => ("at" in turn ? turn.at : Number.NaN));
      expect(at).toEqual(at.toSorted((a, b) => a - b));
    }
  });

  test("Azure: each request by itself", async () => {
    const azure = await planTrace(QUESTIONS, { file: join(TRACES, "azure2023_conv.jsonl"), compress: 10, seconds: 60 });
    expect(azure.sessions.flat()).toHaveLength(azure.sessions.length);
    expect(azure.sessions.length).toBeGreaterThan(1000);
    expect(azure.ms).toBeLessThanOrEqual(60_000);
  });
});
