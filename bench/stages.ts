import type { AddressInfo } from "node:net";
import { answerTokens, DIMENSIONS, questionNumber } from "./corpus.ts";
import { type Answering, answerRequests, chunkOf } from "./wire.ts";

/** The stages behind the system under test: an embedder, a reranker and a language model that only wait, on real sockets. */
export interface Delays {
  readonly embedMs: number;
  readonly rerankMs: number;
  readonly firstTokenMs: number;
  /** Between two tokens. */
  readonly tokenMs: number;
  readonly tokens: number;
}

/** When the stages worked for one question, by `performance.now()`: request read to answer written. */
export interface StageTimes {
  embed?: readonly [from: number, to: number];
  rerank?: readonly [from: number, to: number];
  firstToken?: readonly [from: number, to: number];
  answer?: readonly [from: number, to: number];
}

export const stageCommands = {
  async listen(): Promise<string> {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  set(next: Delays): void {
    delays = next;
    const pieces = answerTokens(next.tokens).map((content) => chunk({ delta: { content }, finish_reason: null }));
    const usage = { prompt_tokens: 900, completion_tokens: next.tokens, total_tokens: 900 + next.tokens };
    tokenChunks = pieces;
    endChunks = [chunk({ delta: {}, finish_reason: "stop" }), chunk(null, usage), chunkOf("data: [DONE]\n\n")];
    times.clear();
  },
  /** By question number, since the delays were set. */
  times: (): Map<number, StageTimes> => times,
};
export type StageCommands = typeof stageCommands;

const VECTORS = Array.from({ length: 64 }, (_, seed) => JSON.stringify(vector(seed)));
const ROLE_CHUNK = chunk({ delta: { role: "assistant", content: "" }, finish_reason: null });

const times = new Map<number, StageTimes>();
let delays: Delays = { embedMs: 0, rerankMs: 0, firstTokenMs: 0, tokenMs: 0, tokens: 64 };
let tokenChunks: readonly Buffer[] = [];
let endChunks: readonly Buffer[] = [];

const server = answerRequests((path, body, answer) => {
  const startedAt = performance.now();
  if (path === "/v1/embeddings") embed(body, answer, startedAt);
  else if (path === "/rerank") rerank(body, answer, startedAt);
  else if (path === "/v1/chat/completions") chat(body, answer, startedAt);
  else answer.notFound();
});

function embed(body: string, answer: Answering, startedAt: number): void {
  const { input } = JSON.parse(body) as { input: string[] };
  setTimeout(() => {
    const data = input.map((text, index) => `{"object":"embedding","index":${index},"embedding":${vectorOf(text)}}`);
    const usage = `{"prompt_tokens":24,"total_tokens":24}`;
    const endedAt = performance.now();
    answer.json(`{"object":"list","data":[${data.join(",")}],"model":"bench","usage":${usage}}`);
    note(questionNumber(body), "embed", startedAt, endedAt);
  }, delays.embedMs);
}

function rerank(body: string, answer: Answering, startedAt: number): void {
  const { texts } = JSON.parse(body) as { texts: string[] };
  const scores = texts.map(({ length }, index) => ({ index, score: 1 / (2 + ((length * 31 + index * 17) % 97)) }));
  const ranked = JSON.stringify(scores.sort((a, b) => b.score - a.score));
  setTimeout(() => {
    const endedAt = performance.now();
    answer.json(ranked);
    note(questionNumber(body), "rerank", startedAt, endedAt);
  }, delays.rerankMs);
}

function chat(body: string, answer: Answering, startedAt: number): void {
  const number = questionNumber(body);
  const { tokenMs } = delays;
  answer.begin();
  setTimeout(() => {
    const firstAt = performance.now();
    answer.write(ROLE_CHUNK);
    note(number, "firstToken", startedAt, firstAt);
    let sent = 0;
    const next = () => {
      if (answer.isGone) return;
      const token = tokenChunks[sent];
      if (!token) {
        for (const end of endChunks) answer.write(end);
        answer.end();
        note(number, "answer", startedAt, performance.now());
        return;
      }
      answer.write(token);
      // Due times are counted from the first token, so that timers that fire late do not add up.
      sent++;
      if (tokenMs > 0) setTimeout(next, Math.max(0, firstAt + sent * tokenMs - performance.now()));
      else setImmediate(next);
    };
    next();
  }, delays.firstTokenMs);
}

function note(number: number, what: keyof StageTimes, from: number, to: number): void {
  if (number === 0) return;
  const known = times.get(number) ?? {};
  known[what] = [from, to];
  times.set(number, known);
}

/** A chunk of a streamed chat completion, as vLLM and OpenAI send it. */
function chunk(choice: object | null, usage: object | null = null): Buffer {
  const choices = choice ? [{ index: 0, ...choice, logprobs: null }] : [];
  const head = { id: "chatcmpl-6f1c2d9e8a7b", object: "chat.completion.chunk", created: 1_767_225_600, model: "bench" };
  return chunkOf(`data: ${JSON.stringify({ ...head, system_fingerprint: null, choices, usage })}\n\n`);
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
