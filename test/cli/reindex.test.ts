import { writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { createRagline, type Ragline } from "../../src/index.ts";
import { sleep, until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { DIMENSIONS, embeddings } from "../support/stub-embeddings.ts";
import { type StubServer, stubServer } from "../support/stub-server.ts";
import { finish, ragline, start } from "./run.ts";

const DOCUMENTS = 400;
let folder: ReturnType<typeof temporaryFolder>;
let upstream: StubServer;
let opened: Ragline[];
/** The embedder answers no more once it was asked for more texts than this. */
let textsBeforeStop: number;

/** The old space and the new one have vectors of the same length: only their names tell them apart. */
beforeEach(async () => {
  folder = temporaryFolder();
  opened = [];
  textsBeforeStop = Number.POSITIVE_INFINITY;
  upstream = await stubServer(async (request, response) => {
    while (embeddedSoFar() > textsBeforeStop) await sleep(5);
    await embeddings(request, response);
  });
  const embed = {
    old: `{ use: hashing, dimensions: ${DIMENSIONS} }`,
    new: `{ use: openai, baseUrl: "${upstream.url}/v1", model: new-model, dimensions: ${DIMENSIONS} }`,
  };
  for (const [name, block] of Object.entries(embed)) {
    await writeFile(folder.file(`${name}.yaml`), `embed: ${block}\nsearch: { file: "${folder.file("ragline.db")}" }\n`);
  }
  const lines = Array.from({ length: DOCUMENTS }, (_, i) =>
    JSON.stringify({ id: `d${i}`, text: `휴가 규정 ${i}조 leave rule ${i}` }),
  );
  await writeFile(folder.file("docs.jsonl"), lines.join("\n"));
  expect((await ragline(folder.path, "--config", "old.yaml", "index", "docs.jsonl")).code).toBe(0);
});

afterEach(async () => {
  for (const one of opened) await one.close();
  await upstream.close();
  folder.remove();
});

async function open(name: "old" | "new"): Promise<Ragline> {
  const one = await createRagline(loadConfig(folder.file(`${name}.yaml`), {}), { log: pino({ level: "silent" }) });
  opened.push(one);
  return one;
}

const reindexing = () => start(folder.path, ["--config", "new.yaml", "reindex"]);
const embeddedSoFar = () => upstream.requests.reduce((sum, { body }) => sum + (body.input as string[]).length, 0);

describe("ragline reindex", () => {
  it("is taken up after kill -9, swaps while both configurations are served, and loses no document written meanwhile", {
    timeout: 60_000,
  }, async () => {
    const [oldServer, newServer] = [await open("old"), await open("new")];
    const names = /hashing\/64.*new-model.*ragline reindex/;
    await expect(newServer.search({ query: "휴가 규정 7조" })).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringMatching(names),
    });

    textsBeforeStop = 150;
    const killed = reindexing();
    await until("some passages are embedded", () => embeddedSoFar() > textsBeforeStop, 20_000);
    killed.kill("SIGKILL");
    await finish(killed);
    expect((await oldServer.search({ query: "휴가 규정 7조" })).hits.length).toBeGreaterThan(0);

    textsBeforeStop = embeddedSoFar() + 100;
    const finished = finish(reindexing());
    await until("it goes on", () => embeddedSoFar() > textsBeforeStop, 20_000);
    await oldServer.addDocument({ id: "d3", text: "휴가 규정 3조 새 판" });
    await oldServer.addDocument({ id: "late", text: "늦게 온 문서" });
    expect((await oldServer.search({ query: "늦게 온 문서" })).hits[0]?.passage.documentId).toBe("late");
    textsBeforeStop = Number.POSITIVE_INFINITY;
    const { code, stdout, stderr } = await finished;
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/embedding: \d+% · [\d,]+ of [\d,]+ passages/),
    });
    expect(stdout).toMatch(
      /hashing\/64 → .*new-model.*: 40[12] passages, \d+ embedded .*, \d+ taken over from an earlier run/,
    );
    // Less than twice everything: the killed run's work was kept, but for a batch or two.
    expect(embeddedSoFar()).toBeLessThan(DOCUMENTS + 3 * 64);

    // The server with the new configuration takes over without a restart; the old one refuses, and never mixes.
    expect((await newServer.search({ query: "늦게 온 문서" })).hits[0]?.passage.documentId).toBe("late");
    expect((await newServer.search({ query: "휴가 규정 3조 새 판" })).hits[0]?.passage.text).toContain("새 판");
    expect((await newServer.ready()).missing).toEqual([]);
    await expect(oldServer.search({ query: "휴가" })).rejects.toMatchObject({ code: "conflict" });
    await expect(oldServer.addDocument({ id: "x", text: "y" })).rejects.toMatchObject({ code: "conflict" });
    expect((await oldServer.ready()).missing).toEqual([expect.stringMatching(/made with .*new-model/)]);

    const database = new DatabaseSync(folder.file("ragline.db"), { readOnly: true });
    const left = database
      .prepare("SELECT (SELECT count(*) FROM shadows) + (SELECT count(*) FROM shadow_vectors) AS n")
      .get();
    database.close();
    expect(left).toEqual({ n: 0 });
    // What is unchanged is still known as such.
    expect((await ragline(folder.path, "--config", "new.yaml", "index", "docs.jsonl")).stdout).toContain(
      "1 changed, 399 unchanged",
    );
    expect((await ragline(folder.path, "--config", "new.yaml", "reindex")).stdout).toContain("already indexed with");
  });

  it("says that there is nothing to do where nothing is indexed", async () => {
    const { code, stdout } = await ragline(folder.path, "--config", "new.yaml", "reindex", "--collection", "empty");
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("nothing is indexed") });
  });
});
