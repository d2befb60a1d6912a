import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { styleText } from "node:util";
import type { Config } from "../index.ts";
import { printAnswer } from "./ask.ts";
import { indexWithProgress } from "./index-sources.ts";
import { searchOnFile, sessionsOnFile } from "./on-file.ts";
import { outliveReaders } from "./outlive-readers.ts";
import { addressOf, listen, serveUntil, withAddress } from "./serve.ts";
import { withRagline } from "./session.ts";

const HANDBOOK = fileURLToPath(new URL("../../examples/handbook", import.meta.url));
const QUESTION = "법인카드 영수증은 언제까지 등록해야 하나요?";

export interface DemoOptions {
  readonly port?: number;
  readonly once?: true;
}

/** `ragline demo`: index the handbook, serve, ask one question, go on serving. Its database is deleted afterwards. */
export async function demoCommand(configFile: string | undefined, options: DemoOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-demo-"));
  const change = (config: Config) => withAddress(withFile(config, join(folder, "demo.db")), options);
  try {
    await withRagline(
      configFile,
      async (ragline, signal) => {
        const server = await listen(ragline);
        try {
          console.log(styleText("bold", "1. Index the employee handbook (Korean and English)"));
          await indexWithProgress(ragline, [HANDBOOK], signal);
          await ragline.warm(undefined, { signal });
          console.log(styleText("bold", `\n2. Ask: ${QUESTION}`));
          await printAnswer(ragline, { question: QUESTION }, { signal }, { timings: true, onward: "sessionId" });
          if (options.once) return;
          outliveReaders();
          console.log(nextSteps(addressOf(server.server)));
          await serveUntil(server, signal);
        } finally {
          await server.close();
        }
      },
      { change },
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function withFile(config: Config, file: string): Config {
  const { search, session, cache } = config;
  return {
    ...config,
    search: searchOnFile(search, file),
    session: sessionsOnFile(session, file),
    cache: cache.use === "sqlite" ? { ...cache, file } : cache,
  };
}

function nextSteps(address: string): string {
  const body = `'{"question": "How do I report a lost laptop?"}'`;
  return `
${styleText("bold", `3. Serving on ${address} until Ctrl-C. Ask the next question:`)}

  curl -N ${address}/v1/ask -H 'content-type: application/json' -d ${body}

Add "sessionId" from the first event to follow up. Any OpenAI client works against ${address}/v1.
Your own files: npx ragline index <path>, then npx ragline serve.`;
}
