import { describe, expect, test } from "vitest";
import type { AskBody, LoadClient, Reply } from "../../src/load/client.ts";
import { type DriveOptions, drive } from "../../src/load/drive.ts";
import type { Plan, PlannedSession } from "../../src/load/plan.ts";
import { call, sleep } from "../support/calls.ts";

interface Asked {
  readonly body: AskBody;
  readonly at: number;
}

/** A server that takes so long for every answer, or as long as it is told. */
function clientTaking(ms: number | ((body: AskBody) => Promise<void>)): LoadClient & { readonly asked: Asked[] } {
  const asked: Asked[] = [];
  return {
    asked,
    async ask(body, signal) {
      const sentAt = performance.now();
      asked.push({ body, at: sentAt });
      const stopped = new Promise<boolean>((resolve) => signal.addEventListener("abort", () => resolve(true)));
      const answered = (typeof ms === "number" ? sleep(ms) : ms(body)).then(() => false);
      const failure = (await Promise.race([answered, stopped])) ? "unfinished" : null;
      const now = performance.now();
      const sessionId = body.sessionId ?? `s-${asked.length}`;
      return { sentAt, firstTextAt: now, endedAt: now, failure, sessionId, end: null, textEvents: 1 } satisfies Reply;
    },
    get: async () => ({}),
    close: () => undefined,
  };
}

const OPTIONS: DriveOptions = { ask: {}, drainMs: 10_000, signal: call().signal };
const plan = (sessions: readonly PlannedSession[], dueMaxMs = Number.POSITIVE_INFINITY): Plan => {
  return { arrivals: "", sessions, ms: 0, dueMaxMs };
};

describe("asking open-loop", () => {
  test("requests go out when they are due, whatever becomes of those before", async () => {
    const client = clientTaking(400);
    const sessions = [0, 20, 40, 60].map((at): PlannedSession => [{ question: "가?", at }]);
    const { samples } = await drive(plan(sessions), client, OPTIONS);
    expect(samples).toHaveLength(4);
    // All four were under way before the first was answered.
    expect(Math.max(...client.asked.map(({ at }) => at)) - (client.asked[0]?.at ?? 0)).toBeLessThan(400);
    for (const { dueAt, sentAt, endedAt } of samples) {
      expect(sentAt).toBeGreaterThanOrEqual(dueAt);
      expect(endedAt - dueAt).toBeGreaterThanOrEqual(399);
    }
  });

  test("latency counts from when a request was due, though the generator sent late", async () => {
    const client = clientTaking(10);
    const sessions: PlannedSession[] = [[{ question: "가?", at: 1 }], [{ question: "나?", at: 30 }]];
    const running = drive(plan(sessions), client, OPTIONS);
    const blockedUntil = performance.now() + 150;
    while (performance.now() < blockedUntil);
    const { samples } = await running;
    const late = samples.find(({ plannedAt }) => plannedAt === 30);
    expect(late?.dueAt).toBe(30);
    expect((late?.sentAt ?? 0) - 30).toBeGreaterThan(100);
  });

  test("a conversation's turns are asked in order, each after the answer before, under its id", async () => {
    const client = clientTaking(50);
    const session: PlannedSession = [
      { question: "가?", at: 0 },
      { question: "나?", at: 10 },
      { question: "다?", thinkMs: 30 },
    ];
    const { samples } = await drive(plan([session]), client, OPTIONS);
    expect(client.asked.map(({ body }) => body)).toEqual([
      { question: "가?" },
      { question: "나?", sessionId: "s-1" },
      { question: "다?", sessionId: "s-1" },
    ]);
    const [first, second, third] = samples;
    expect(second?.plannedAt).toBe(10);
    expect(second?.dueAt).toBe(first?.endedAt);
    expect((third?.dueAt ?? 0) - (second?.endedAt ?? 0)).toBeCloseTo(30, 6);
    expect(third?.plannedAt).toBe(third?.dueAt);
  });

  test("turns that become due after the end are not asked, and counted", async () => {
    const session: PlannedSession = [
      { question: "가?", at: 0 },
      { question: "나?", thinkMs: 5000 },
      { question: "다?", thinkMs: 5000 },
    ];
    const run = await drive(plan([session], 100), clientTaking(1), OPTIONS);
    expect(run.samples).toHaveLength(1);
    expect(run.notAsked).toBe(2);
  });

  test("answers that go on after the drain count as unfinished", async () => {
    const client = clientTaking(60_000);
    const { samples } = await drive(plan([[{ question: "가?", at: 0 }]]), client, { ...OPTIONS, drainMs: 20 });
    expect(samples.map(({ failure }) => failure)).toEqual(["unfinished"]);
  });

  test("what the end of the drain finds thinking asks no more, and is counted", async () => {
    const client = clientTaking(1);
    const session: PlannedSession = [
      { question: "가?", at: 0 },
      { question: "나?", thinkMs: 5000 },
    ];
    const run = await drive(plan([session]), client, { ...OPTIONS, drainMs: 50 });
    expect(client.asked).toHaveLength(1);
    expect(run.notAsked).toBe(1);
  });

  test("what every question carries", async () => {
    const client = clientTaking(1);
    const ask = { collection: "handbook", cache: false } as const;
    await drive(plan([[{ question: "가?", at: 0 }]]), client, { ...OPTIONS, ask });
    expect(client.asked[0]?.body).toEqual({ question: "가?", collection: "handbook", cache: false });
  });
});
