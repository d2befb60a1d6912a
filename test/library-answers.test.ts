import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ConfigInput } from "../src/index.ts";
import type { AnswerEvent } from "../src/types.ts";
import { until } from "./support/calls.ts";
import { addPages, type OpenedRagline, openRagline } from "./support/ragline.ts";
import { chunk, streaming, stubModel, wholeStream } from "./support/stub-model.ts";
import type { StubServer } from "./support/stub-server.ts";

const SAID = "연차는 15일";
const hanging = streaming([chunk.role, chunk.text("연차는"), chunk.text(" 15일")], { afterwards: "hang" });

let model: StubServer;
let config: ConfigInput;
let opened: OpenedRagline;
beforeAll(async () => {
  model = await stubModel();
  config = {
    generate: { use: "openai", baseUrl: model.url, model: "m", retries: 0 },
    cache: { use: "none" },
    session: { use: "sqlite", leaseMs: 300, pendingMax: 1 },
  };
  opened = await openRagline(config);
  await addPages(opened.ragline);
});
beforeEach(() => model.answer(hanging));
afterAll(async () => {
  await opened.close();
  await model.close();
});

/** Reads up to what the model says before it hangs, and asks for no more. */
async function untilSaid(events: AsyncIterator<AnswerEvent>): Promise<void> {
  for (let text = ""; text !== SAID; ) {
    const { value } = await events.next();
    if (value.type === "text-delta") text += value.text;
  }
}

async function turnsOf(sessionId: string, { ragline } = opened) {
  return (await ragline.readTurns(sessionId))?.turns.map(({ status, answer }) => [status, answer]) ?? [];
}

describe("calls of one name in one conversation", () => {
  const named = { requestId: "trace-1" };

  test("are a turn each, under that name", async () => {
    model.answer(streaming(wholeStream(["네."])));
    const sessionId = "named";
    const answers = [
      await opened.ragline.answer({ question: "첫째?", sessionId }, named),
      await opened.ragline.answer({ question: "둘째?", sessionId }, named),
    ];
    expect(answers.map(({ requestId }) => requestId)).toEqual(["trace-1", "trace-1"]);
    const turns = (await opened.ragline.readTurns(sessionId))?.turns;
    expect(turns).toMatchObject([
      { question: "첫째?", ...named },
      { question: "둘째?", ...named },
    ]);
    expect((await opened.ragline.readSession(sessionId))?.turns).toMatchObject([named, named]);
  });

  test("at once too, and one that was interrupted stays beside the one that was asked again", async () => {
    const own = await openRagline({ ...config, session: { use: "sqlite" } });
    const sessionId = "twice";
    const left = own.ragline.ask({ question: "하나?", sessionId }, named);
    await untilSaid(left);
    expect((await own.ragline.readSession(sessionId))?.pending).toMatchObject([named]);
    model.answer(streaming(wholeStream(["네."])));
    const both = ["둘?", "셋?"].map((question) => own.ragline.answer({ question, sessionId }, named));
    await Promise.all(both);
    await left.return();
    await until("all are stored", async () => (await turnsOf(sessionId, own)).length === 3);
    const turns = (await own.ragline.readTurns(sessionId))?.turns.map(({ question, answer }) => [question, answer]);
    expect(turns?.toSorted()).toEqual([
      ["둘?", "네."],
      ["셋?", "네."],
      ["하나?", SAID],
    ]);
    await own.close();
  });
});
