import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postJson } from "../support/http.ts";
import { addPages, type ServedRagline, serveRagline } from "../support/ragline.ts";

let served: ServedRagline;
beforeAll(async () => {
  served = await serveRagline({ cache: { use: "none" } });
  await addPages(served.ragline);
});
afterAll(() => served.close());

const QUESTION = { role: "user", content: "연차 휴가는 며칠인가요?" };
const FOLLOW_UP = { role: "user", content: "그건 며칠이에요?" };

interface Completion {
  readonly choices: readonly { readonly finish_reason: string; readonly message: { readonly content: string } }[];
  readonly ragline: { readonly query: string; readonly sessionId?: string };
}

const complete = (body: object) => postJson(`${served.url}/v1/chat/completions`, { messages: [QUESTION], ...body });
async function completion(body: object): Promise<Completion> {
  const response = await complete(body);
  const answer = (await response.json()) as Completion;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

test("a question that nothing answers ends as OpenAI's clients know it", async () => {
  const { choices, ragline } = await completion({ ragline: { collection: "empty" } });
  expect(choices[0]?.finish_reason).toBe("stop");
  expect(ragline).toMatchObject({ sources: [] });
  const streamed = await (await complete({ ragline: { collection: "empty" }, stream: true })).text();
  expect(streamed).toContain('"finish_reason":"stop"');
});

describe("conversations", () => {
  test("where messages are the history nothing is kept, and no session is named", async () => {
    const { ragline } = await completion({});
    expect(ragline).toMatchObject({ requestId: expect.any(String) });
    expect(ragline).not.toHaveProperty("sessionId");
    const streamed = await (await complete({ stream: true })).text();
    expect(streamed).toContain('"requestId"');
    expect(streamed).not.toContain("sessionId");
  });

  test("a session that the client names is kept, named, and gone on with", async () => {
    const first = await completion({ ragline: { sessionId: "chat-1" } });
    expect(first.ragline.sessionId).toBe("chat-1");
    const second = await completion({ messages: [FOLLOW_UP], ragline: { sessionId: "chat-1" } });
    expect(second.ragline.query).toContain("연차 휴가");
    expect((await fetch(`${served.url}/v1/sessions/chat-1`)).status).toBe(200);
  });
});

describe("earlier messages", () => {
  const picture = { type: "image_url", image_url: { url: "https://x/y.png" } };
  const refusal = { type: "refusal", refusal: "No." };

  test.each<[string, object[]]>([
    [
      "a picture beside text",
      [
        { role: "user", content: [{ type: "text", text: "연차 휴가 규정을 알려 주세요" }, picture] },
        { role: "assistant", content: "네." },
      ],
    ],
    [
      "a refusal",
      [
        { role: "user", content: "연차 휴가 규정을 알려 주세요" },
        { role: "assistant", content: [refusal] },
      ],
    ],
    [
      "calls of tools",
      [
        { role: "user", content: "연차 휴가 규정을 알려 주세요" },
        { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: { name: "f" } }] },
        { role: "tool", tool_call_id: "1", content: [picture] },
        { role: "assistant", content: "네." },
      ],
    ],
  ])("%s: the text is read, the rest left", async (_, earlier) => {
    const { ragline } = await completion({ messages: [...earlier, FOLLOW_UP] });
    expect(ragline.query).toContain("연차 휴가");
  });

  test.each([["a picture", picture] as const, ["a text part without text", { type: "text" }] as const])(
    "%s in the question is refused by its place",
    async (_, part) => {
      const content = [{ type: "text", text: "연차 휴가?" }, part];
      const response = await complete({ messages: [QUESTION, { role: "user", content }] });
      expect(response.status).toBe(400);
      expect(await response.text()).toMatch(/messages\.1\.content\.1: .*text/);
    },
  );
});

describe("fields of OpenAI's", () => {
  test.each(["model", "stream", "stream_options", "n", "ragline", "tool_choice", "function_call", "response_format"])(
    "%s: null is as good as absent",
    async (field) => {
      await completion({ [field]: null });
    },
  );

  test("so is null of include_usage", async () => {
    const streamed = await (await complete({ stream: true, stream_options: { include_usage: null } })).text();
    expect(streamed).toContain("[DONE]");
    expect(streamed).not.toContain("prompt_tokens");
  });

  test.each<[string, object]>([
    ["tool_choice", { tool_choice: "required", tools: [] }],
    ["tool_choice", { tool_choice: { type: "function", function: { name: "f" } } }],
    ["function_call", { function_call: { name: "f" } }],
    ["response_format", { response_format: { type: "json_object" } }],
    ["response_format", { response_format: { type: "json_schema", json_schema: { name: "x", schema: {} } } }],
  ])("an answer of another shape is refused: %s", async (field, extra) => {
    const response = await complete(extra);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: "request_invalid", message: expect.stringMatching(new RegExp(`^${field}\\b.*text`)) },
    });
  });

  test("what only advises the model has no effect", async () => {
    const tools = [{ type: "function", function: { name: "f", parameters: {} } }];
    const extra = { tools, tool_choice: "auto", response_format: { type: "text" }, max_tokens: 3, stop: ["연차"] };
    const plain = await completion({});
    const advised = await completion({ ...extra, temperature: 0, seed: 1, user: "u" });
    expect(advised.choices).toEqual(plain.choices);
  });
});
