import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerParent, processUsage } from "./child.ts";
import { answerTokens, DIMENSIONS, questionNumber } from "./corpus.ts";

/** The stages behind the system under test: an embedder, a reranker and a language model that only wait, on real sockets. */
export interface Delays {
  readonly embedMs: number;
  readonly rerankMs: number;
  readonly firstTokenMs: number;
  /** Between two tokens. */
  readonly tokenMs: number;
  readonly tokens: number;
}

/** How long the stages themselves took for one question, milliseconds: request read to answer written. */
export interface StageDurations {
  /** Embedder, reranker and first token together. */
  firstTokenMs: number;
  /** Embedder, reranker and whole answer together. */
  totalMs: number;
}

const stageCommands = {
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  set(next: Delays): void {
    delays = next;
    const pieces = answerTokens(next.tokens).map((content) => chunk({ delta: { content }, finish_reason: null }));
    const usage = { prompt_tokens: 900, completion_tokens: next.tokens, total_tokens: 900 + next.tokens };
    tokenChunks = pieces;
    endChunks = [chunk({ delta: {}, finish_reason: "stop" }), chunk(null, usage), "data: [DONE]\n\n"];
    durations.clear();
    globalThis.gc?.();
  },
  /** By question number, since the delays were set. */
  durations: (): Map<number, StageDurations> => durations,
  usage: processUsage,
};
export type StageCommands = typeof stageCommands;

const VECTORS = Array.from({ length: 64 }, (_, seed) => JSON.stringify(vector(seed)));
const ROLE_CHUNK = chunk({ delta: { role: "assistant", content: "" }, finish_reason: null });

const durations = new Map<number, StageDurations>();
let delays: Delays = { embedMs: 0, rerankMs: 0, firstTokenMs: 0, tokenMs: 0, tokens: 64 };
let tokenChunks: readonly string[] = [];
let endChunks: readonly string[] = [];

const server = createServer(async (request, response) => {
  const startedAt = performance.now();
  const body = await read(request);
  if (request.method !== "POST") response.writeHead(405).end();
  else if (request.url === "/v1/embeddings") await embed(body, response, startedAt);
  else if (request.url === "/rerank") await rerank(body, response, startedAt);
  else if (request.url === "/v1/chat/completions") await chat(body, response, startedAt);
  else response.writeHead(404).end();
});
server.keepAliveTimeout = 60_000;

async function embed(body: string, response: ServerResponse, startedAt: number): Promise<void> {
  const { input } = JSON.parse(body) as { input: string[] };
  await sleep(delays.embedMs);
  const data = input.map((text, index) => `{"object":"embedding","index":${index},"embedding":${vectorOf(text)}}`);
  const usage = `{"prompt_tokens":24,"total_tokens":24}`;
  sendJson(response, `{"object":"list","data":[${data.join(",")}],"model":"bench","usage":${usage}}`);
  note(questionNumber(body), performance.now() - startedAt);
}

async function rerank(body: string, response: ServerResponse, startedAt: number): Promise<void> {
  const { texts } = JSON.parse(body) as { texts: string[] };
  await sleep(delays.rerankMs);
  const scores = texts.map(({ length }, index) => ({ index, score: 1 / (2 + ((length * 31 + index * 17) % 97)) }));
  sendJson(response, JSON.stringify(scores.sort((a, b) => b.score - a.score)));
  note(questionNumber(body), performance.now() - startedAt);
}

async function chat(body: string, response: ServerResponse, startedAt: number): Promise<void> {
  const number = questionNumber(body);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  await sleep(delays.firstTokenMs);
  response.write(ROLE_CHUNK);
  const firstAt = performance.now();
  note(number, firstAt - startedAt, 0);
  let sent = 0;
  for (const token of tokenChunks) {
    if (response.destroyed) return;
    response.write(token);
    // Due times are counted from the first token, so that timers that fire late do not add up.
    const waitMs = firstAt + ++sent * delays.tokenMs - performance.now();
    await (delays.tokenMs > 0 ? sleep(Math.max(0, waitMs)) : new Promise((resolve) => setImmediate(resolve)));
  }
  for (const end of endChunks.slice(0, -1)) response.write(end);
  response.end(endChunks.at(-1));
  note(number, 0, performance.now() - startedAt);
}

function note(number: number, firstTokenMs: number, totalMs = firstTokenMs): void {
  if (number === 0) return;
  const known = durations.get(number) ?? { firstTokenMs: 0, totalMs: 0 };
  known.firstTokenMs += firstTokenMs;
  known.totalMs += totalMs;
  durations.set(number, known);
}

async function read(request: IncomingMessage): Promise<string> {
  let body = "";
  request.setEncoding("utf8");
  for await (const text of request) body += text;
  return body;
}

function sendJson(response: ServerResponse, body: string): void {
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}

/** A chunk of a streamed chat completion, as vLLM and OpenAI send it. */
function chunk(choice: object | null, usage: object | null = null): string {
  const choices = choice ? [{ index: 0, ...choice, logprobs: null }] : [];
  const head = { id: "chatcmpl-6f1c2d9e8a7b", object: "chat.completion.chunk", created: 1_767_225_600, model: "bench" };
  return `data: ${JSON.stringify({ ...head, system_fingerprint: null, choices, usage })}\n\n`;
}

function vectorOf(text: string): string {
  let hash = 0;
  for (let at = 0; at < text.length; at++) hash = (hash * 31 + text.charCodeAt(at)) >>> 0;
  return VECTORS[hash % VECTORS.length] ?? "[]";
}

function vector(seed: number): number[] {
  const values = Array.from({ length: DIMENSIONS }, (_, n) => Math.sin((seed + 1) * 12.9898 * (n + 1)));
  const norm = Math.hypot(...values);
  return values.map((value) => Number((value / norm).toFixed(9)));
}

answerParent(stageCommands);
