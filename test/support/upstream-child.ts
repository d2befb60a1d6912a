import type { ServerResponse } from "node:http";
import { sleep } from "./calls.ts";
import { embeddings } from "./stub-embeddings.ts";
import { beginStream, chunk, refusing, streaming, wholeStream } from "./stub-model.ts";
import { overlap, tei } from "./stub-rerank.ts";
import { type StubHandler, sendJson, stubServer } from "./stub-server.ts";

/**
 * An upstream in a process of its own: `/v1/embeddings` and `/v1/chat/completions` as OpenAI serves them, `/rerank` as
 * text-embeddings-inference does. `POST /mode` says what it does wrong; `GET /work` when it last worked for anybody. Started with
 * its port.
 */
const TICK_MS = 5;
let mode = "well";
let lastWorkAt = 0;
let calls = 0;

/** Works for so long, or until its caller is gone. */
async function work(response: ServerResponse, ms: number): Promise<void> {
  const until = performance.now() + ms;
  while (!response.destroyed && performance.now() < until) {
    lastWorkAt = Date.now();
    await sleep(TICK_MS);
  }
}

function spoiled(scores: { index: number; score: number }[]): string {
  const [first, ...others] = scores;
  switch (mode) {
    case "few":
      return JSON.stringify(others);
    case "duplicates":
      return JSON.stringify([first, first, ...others.slice(1)]);
    case "NaN":
      return JSON.stringify(scores).replace(/"score":[\d.]+/, '"score":NaN');
    case "out of range":
      return JSON.stringify([{ ...first, index: scores.length + 7 }, ...others]);
    default:
      return JSON.stringify(scores);
  }
}

const rerank: StubHandler = ({ body }, response) => {
  const text = spoiled(overlap(String(body.query), body.texts as string[]));
  response.writeHead(200, { "content-type": "application/json" }).end(text);
};

const long = Array.from({ length: 100 }, (_, i) => chunk.text(` 낱말${i}`));
const chat: StubHandler = async (request, response) => {
  const messages = request.body.messages as { readonly content: string }[];
  const isRewriting = messages[0]?.content.startsWith("Rewrite the last question") ?? false;
  if (isRewriting) return streaming(wholeStream(["연차 휴가는 며칠인가요?"]))(request, response);
  switch (mode) {
    case "cut before":
      beginStream(response);
      await sleep(20);
      return void response.destroy();
    case "silent":
      return streaming(wholeStream([]))(request, response);
    case "cut after":
      return streaming([chunk.role, chunk.text("연차는 "), chunk.text("반쪽")], { afterwards: "cut" })(
        request,
        response,
      );
    case "long":
      beginStream(response);
      for (const piece of [chunk.role, ...long]) {
        if (response.destroyed) return;
        lastWorkAt = Date.now();
        response.write(piece);
        await sleep(20);
      }
      return void response.end(chunk.finish("stop") + chunk.usage(9, 9) + chunk.done);
    default:
      return streaming(wholeStream(["네, ", "15일입니다 [1]."]))(request, response);
  }
};

const [port = "0"] = process.argv.slice(2);
const server = await stubServer(async (request, response) => {
  if (request.path === "/mode") {
    mode = String(request.body.mode);
    return sendJson(response, {});
  }
  if (request.path === "/work") return sendJson(response, { lastWorkAt, calls });
  calls++;
  const [, refused] = /^refuse (\d+)$/.exec(mode) ?? [];
  if (refused) return refusing(Number(refused))(request, response);
  const [, slow] = /^slow (\d+)$/.exec(mode) ?? [];
  if (slow && request.path !== "/info") await work(response, Number(slow));
  if (response.destroyed) return;
  if (request.path.endsWith("/embeddings")) return embeddings(request, response);
  if (request.path.endsWith("/chat/completions")) return chat(request, response);
  return tei(rerank)(request, response);
}, Number(port));
console.log(server.url);
