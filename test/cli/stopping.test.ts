import { mkdir, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { temporaryFolder } from "../support/folder.ts";
import { eventsOf, postJson, textOf } from "../support/http.ts";
import { chunk, streaming, stubModel } from "../support/stub-model.ts";
import { finish, printed, ragline, start } from "./run.ts";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

it("SIGTERM under a stream that never ends: it ends with answer-error within the drain's bound, and the turn is kept", {
  timeout: 60_000,
}, async () => {
  const endless = Array.from({ length: 4_000 }, (_, i) => chunk.text(` 낱말${i}`));
  const upstream = await stubModel(streaming(endless, { gapMs: 20 }));
  await mkdir(folder.file("docs"));
  await writeFile(folder.file("docs/휴가.md"), "# 휴가\n\n연차휴가는 1년에 15일입니다.\n");
  await ragline(folder.path, "index", "docs");
  const server = start(folder.path, ["serve", "--port", "0"], { OPENAI_BASE_URL: upstream.url, OPENAI_MODEL: "m" });
  const finished = finish(server);
  const url = /listening on (\S+);/.exec(await printed(server, /listening on (\S+);/))?.[1];
  const response = await postJson(`${url}/v1/ask`, { question: "연차휴가는 며칠인가요?", sessionId: "s" });
  const toldAt = performance.now();
  server.kill("SIGTERM");
  const events = await eventsOf(response);
  expect(performance.now() - toldAt).toBeLessThan(20_000);
  expect(textOf(events)).toContain("낱말10");
  expect(events.at(-1)).toMatchObject({
    type: "answer-error",
    error: { code: "cancelled", step: "generate", message: "The server is stopping; ask again." },
  });
  expect((await finished).code).toBe(0);
  await upstream.close();
});
