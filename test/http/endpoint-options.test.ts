import { afterAll, beforeAll, expect, test } from "vitest";
import type { ConfigInput } from "../../src/index.ts";
import { addPages, serveRagline } from "../support/ragline.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";

let upstream: StubServer;
beforeAll(async () => {
  // Embeds, and refuses everything else.
  upstream = await stubServer(({ path, body }, response) => {
    if (path !== "/tei/embed") return void response.writeHead(404).end();
    const vectors = (body.inputs as string[]).map(() => [1, 0, 0, 0, 0, 0, 0, 0]);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(vectors));
  });
});
afterAll(() => upstream.close());

const sentTo = (path: string) => upstream.requests.filter((request) => request.path === path);

test("configured headers go to every endpoint that speaks HTTP, and configured fields into a model's requests", async () => {
  const retries = 0;
  const served = await serveRagline({
    embed: {
      use: "tei",
      baseUrl: `${upstream.url}/tei`,
      model: "m",
      dimensions: 8,
      headers: { "x-for": "embed" },
      retries,
    },
    rerank: { use: "cohere", baseUrl: upstream.url, model: "m", headers: { "X-For": "rerank" }, retries },
    generate: {
      use: "openai",
      baseUrl: upstream.url,
      model: "m",
      apiKey: "sk",
      headers: { "x-for": "generate" },
      body: { reasoning_effort: "none", chat_template_kwargs: { enable_thinking: false } },
      retries,
    },
  } as ConfigInput);
  try {
    await addPages(served.ragline);
    await served.ragline.answer({ question: "연차 휴가는 며칠인가요?" }).catch(() => undefined);
  } finally {
    await served.close();
  }
  expect(sentTo("/tei/embed").at(-1)?.headers).toMatchObject({ "x-for": "embed" });
  expect(sentTo("/tei/info").at(-1)?.headers).toMatchObject({ "x-for": "embed" });
  expect(sentTo("/rerank").at(-1)?.headers).toMatchObject({ "x-for": "rerank" });
  const [asked] = sentTo("/chat/completions");
  expect(asked?.headers).toMatchObject({ "x-for": "generate", authorization: "Bearer sk" });
  expect(asked?.body).toMatchObject({
    model: "m",
    stream: true,
    reasoning_effort: "none",
    chat_template_kwargs: { enable_thinking: false },
  });
});
