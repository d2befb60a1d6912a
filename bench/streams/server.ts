import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getHeapSpaceStatistics, writeHeapSnapshot } from "node:v8";
import { pino } from "pino";
import { answerParent } from "../child.ts";
import { documentsOf, passageText } from "../corpus.ts";

/** The server under test: Ragline over HTTP, its answers written by an upstream that is silent once it has begun. */
const [upstream = "", build = "src"] = process.argv.slice(2);
const suffix = build === "dist" ? "js" : "ts";
const { createRagline } = (await import(`../../${build}/index.${suffix}`)) as typeof import("../../src/index.ts");
const { createServer } = (await import(
  `../../${build}/http/server.${suffix}`
)) as typeof import("../../src/http/server.ts");

const { collectForServing } = (await import(
  `../../${build}/cli/garbage-collection.${suffix}`
)) as typeof import("../../src/cli/garbage-collection.ts");
// As `ragline serve` does.
collectForServing();

const folder = mkdtempSync(join(tmpdir(), "ragline-bench-"));
const file = join(folder, "ragline.db");
const LONG_MS = 600_000;
const ragline = await createRagline(
  {
    search: { use: "sqlite", file },
    session: { use: "sqlite", file },
    cache: { use: "none" },
    generate: {
      use: "openai",
      baseUrl: upstream,
      model: "gpt-4o",
      concurrencyMax: 100_000,
      firstTokenTimeoutMs: LONG_MS,
      silenceTimeoutMs: LONG_MS,
    },
    server: { timeoutMs: LONG_MS, timeoutMaxMs: LONG_MS },
  } as never,
  { log: pino({ level: "silent" }) },
);
for (const document of documentsOf(50)) {
  await ragline.addDocument({ id: document.id, title: document.title, text: passageText(document) });
}
const app = await createServer(ragline);

export interface Memory {
  readonly rssMb: number;
  /** Of it, V8's young generation, empty as it is after a collection. */
  readonly youngMb: number;
  readonly heapMb: number;
  readonly externalMb: number;
}

const commands = {
  listen: () => app.listen({ port: 0, host: "127.0.0.1" }),
  /** After as many collections as it takes to find nothing more. */
  async memory(): Promise<Memory> {
    for (let n = 0; n < 4; n++) {
      globalThis.gc?.();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const mb = (bytes: number) => bytes / 1_048_576;
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    const youngMb = mb(young?.physical_space_size ?? 0);
    return { rssMb: mb(rss), youngMb, heapMb: mb(heapUsed), externalMb: mb(external) };
  },
  snapshot: (path: string) => writeHeapSnapshot(path),
};
export type StreamServerCommands = typeof commands;

answerParent(commands, async () => {
  app.server.closeAllConnections();
  await app.close();
  await ragline.close();
  rmSync(folder, { recursive: true, force: true });
});
