import type { ServerResponse } from "node:http";
import { sleep } from "./calls.ts";
import { type StubHandler, type StubServer, stubServer } from "./stub-server.ts";

const HEAD = {
  id: "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
  object: "chat.completion.chunk",
  created: 1741570283,
  model: "gpt-4.1-mini-2025-04-14",
  service_tier: "default",
  system_fingerprint: "fp_de235176ee",
};

function frame(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** The shapes in which OpenAI's API streams a chat completion with `include_usage`. */
export const chunk = {
  role: frame({
    ...HEAD,
    choices: [
      { index: 0, delta: { role: "assistant", content: "", refusal: null }, logprobs: null, finish_reason: null },
    ],
    usage: null,
  }),
  text: (content: string | readonly object[]) =>
    frame({ ...HEAD, choices: [{ index: 0, delta: { content }, logprobs: null, finish_reason: null }], usage: null }),
  finish: (reason: string) =>
    frame({ ...HEAD, choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: reason }], usage: null }),
  usage: (prompt: number, completion: number) =>
    frame({
      ...HEAD,
      choices: [],
      usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion },
    }),
  error: frame({
    error: { message: "The server had an error: secret-host-7", type: "server_error", param: null, code: null },
  }),
  done: "data: [DONE]\n\n",
} as const;

/** A whole answer as it comes over the wire. */
export function wholeStream(texts: readonly string[], usage: readonly [number, number] = [11, 7]): string[] {
  return [chunk.role, ...texts.map(chunk.text), chunk.finish("stop"), chunk.usage(...usage), chunk.done];
}

export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  response.flushHeaders();
}

/** Writes each piece by itself, `gapMs` apart, then ends; or leaves the stream open. */
export function streaming(
  pieces: readonly (string | Uint8Array)[],
  { gapMs = 1, afterwards = "end" }: { readonly gapMs?: number; readonly afterwards?: "end" | "hang" | "cut" } = {},
): StubHandler {
  return async (_request, response) => {
    beginStream(response);
    for (const piece of pieces) {
      if (response.destroyed) return;
      response.write(piece);
      await sleep(gapMs);
    }
    if (afterwards === "end") response.end();
    if (afterwards === "cut") response.destroy();
  };
}

/** Refuses as OpenAI does. */
export function refusing(status: number, message = `refused with ${status} by secret-host-7`): StubHandler {
  return (_request, response) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { message, type: "invalid_request_error", param: null, code: "nope" } }));
  };
}

/** A model behind a real socket; `url` ends in `/v1`. */
export async function stubModel(handler: StubHandler = streaming(wholeStream(["네, ", "15일입니다 [1]."]))) {
  const server = await stubServer(handler);
  return { ...server, url: `${server.url}/v1` } satisfies StubServer;
}
