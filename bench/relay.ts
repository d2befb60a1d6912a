import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerParent, processUsage } from "./child.ts";
import { DOCUMENTS_DEFAULT, documentsOf, passageText } from "./corpus.ts";

/**
 * What a good engineer would write by hand for the same answer: embed, scan the vectors, rerank, prompt, relay the model's
 * tokens. No framework, and nothing that is not needed for that: no sessions, no text search, no token budget, no citation
 * check, no cache. It checks status codes, minds backpressure and stops the model when the client leaves.
 */
const [, , stages = "", passages = DOCUMENTS_DEFAULT] = process.argv;
const SYSTEM = "Answer from the passages alone, cite them as [n], and answer in the question's language.";
const TOP = 20;
const KEEP = 5;

const agent = new Agent({ keepAlive: true });
const texts = documentsOf(Number(passages)).map(passageText);
let vectors: Float32Array[] = [];

const server = createServer(async (incoming, response) => {
  if (incoming.method !== "POST" || incoming.url !== "/v1/ask") {
    response.writeHead(404).end();
    return;
  }
  const controller = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) controller.abort();
  });
  try {
    const { question } = JSON.parse(await read(incoming)) as { question?: unknown };
    if (typeof question !== "string" || question === "") {
      response.writeHead(400).end();
      return;
    }
    await answer(question, response, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) return;
    console.error(error);
    if (!response.headersSent) response.writeHead(502);
    response.end();
  }
});

async function answer(question: string, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const [vector] = await embed([question], signal);
  if (!vector) throw new Error("no vector");
  const found = nearest(vector, TOP).map((row) => texts[row] ?? "");
  const ranked = (await postJson("/rerank", { query: question, texts: found }, signal)) as { index: number }[];
  const quoted = ranked.slice(0, KEEP).map(({ index }, n) => `[${n + 1}] ${found[index]}`);
  const messages = [
    { role: "system", content: SYSTEM },
    { role: "user", content: `Passages:\n\n${quoted.join("\n\n")}\n\nQuestion: ${question}` },
  ];
  const body = { model: "bench", messages, stream: true, stream_options: { include_usage: true }, max_tokens: 1024 };
  const upstream = await post("/v1/chat/completions", body, signal);
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  await relay(upstream, response);
}

/** Forwards tokens as soon as they are there: those that arrive together in one event, as Ragline does. */
function relay(upstream: IncomingMessage, response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    let rest = "";
    let usage: unknown = null;
    upstream.setEncoding("utf8");
    upstream.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      let joined = "";
      for (const line of lines) {
        if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
        const chunk = JSON.parse(line.slice(6)) as { choices: { delta: { content?: string } }[]; usage: unknown };
        usage = chunk.usage ?? usage;
        joined += chunk.choices[0]?.delta.content ?? "";
      }
      if (joined && !response.write(event("text-delta", { text: joined }))) {
        upstream.pause();
        response.once("drain", () => upstream.resume());
      }
    });
    upstream.on("end", () => {
      response.end(event("answer-end", { usage }));
      resolve();
    });
    upstream.on("error", reject);
  });
}

function event(type: string, value: object): string {
  return `event: ${type}\ndata: ${JSON.stringify(value)}\n\n`;
}

/** The rows of the most similar vectors, best first. */
function nearest(query: Float32Array, limit: number): number[] {
  const scores = vectors.map((vector, row) => {
    let score = 0;
    for (let at = 0; at < vector.length; at++) score += (vector[at] ?? 0) * (query[at] ?? 0);
    return { row, score };
  });
  scores.sort((a, b) => b.score - a.score);
  return scores.slice(0, limit).map(({ row }) => row);
}

async function embed(input: readonly string[], signal: AbortSignal): Promise<Float32Array[]> {
  const answer = (await postJson("/v1/embeddings", { model: "bench", input }, signal)) as {
    data: { embedding: number[] }[];
  };
  return answer.data.map(({ embedding }) => Float32Array.from(embedding));
}

async function postJson(path: string, body: object, signal: AbortSignal): Promise<unknown> {
  return JSON.parse(await read(await post(path, body, signal)));
}

function post(path: string, body: object, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const outgoing = request(stages + path, { method: "POST", agent, headers, signal }, (incoming) => {
      if (incoming.statusCode === 200) resolve(incoming);
      else {
        incoming.resume();
        reject(new Error(`${path}: status ${incoming.statusCode}`));
      }
    });
    outgoing.on("error", reject);
    outgoing.end(text);
  });
}

function read(incoming: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let body = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (text: string) => {
      body += text;
    });
    incoming.on("end", () => resolve(body));
    incoming.on("error", reject);
  });
}

const relayCommands = {
  async listen(): Promise<string> {
    vectors = await embed(texts, new AbortController().signal);
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  },
  usage: processUsage,
};
export type SystemCommands = typeof relayCommands;

answerParent(relayCommands);
