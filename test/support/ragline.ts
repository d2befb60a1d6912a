import type { AddressInfo } from "node:net";
import { type Logger, pino } from "pino";
import { createServer } from "../../src/http/server.ts";
import { type ConfigInput, createRagline, type Ragline } from "../../src/index.ts";
import { temporaryFolder } from "./folder.ts";

export interface OpenedRagline {
  readonly ragline: Ragline;
  readonly folder: ReturnType<typeof temporaryFolder>;
  close(): Promise<void>;
}

/** A Ragline on embedded stages in a folder of its own, whatever the environment says. */
export async function openRagline(
  config: ConfigInput = {},
  log: Logger = pino({ level: "silent" }),
): Promise<OpenedRagline> {
  const folder = temporaryFolder();
  const file = folder.file("ragline.db");
  const ragline = await createRagline(
    {
      generate: { use: "extractive" },
      embed: { use: "hashing" },
      ...config,
      search:
        config.search?.use === undefined || config.search.use === "sqlite" ? { file, ...config.search } : config.search,
      session:
        config.session?.use === undefined || config.session.use === "sqlite"
          ? { file, ...config.session }
          : config.session,
      cache: config.cache?.use === "none" ? config.cache : { file, ...config.cache },
    } as ConfigInput,
    { log },
  );
  return {
    ragline,
    folder,
    async close() {
      await ragline.close();
      folder.remove();
    },
  };
}

/** A log, and its lines of level `warn` and above. */
export function warnings(): { readonly log: Logger; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  return { log, lines };
}

export interface ServedRagline extends OpenedRagline {
  readonly url: string;
  readonly port: number;
  readonly app: Awaited<ReturnType<typeof createServer>>;
}

/** The same behind a real socket. */
export async function serveRagline(config: ConfigInput = {}, log?: Logger): Promise<ServedRagline> {
  const opened = await openRagline(config, log);
  const app = await createServer(opened.ragline);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = app.server.address() as AddressInfo;
  return {
    ...opened,
    app,
    port,
    url: `http://127.0.0.1:${port}`,
    async close() {
      app.server.closeAllConnections();
      await app.close();
      await opened.close();
    },
  };
}

/** Three short pages, in Korean and English, that answer a question each. */
export const PAGES = [
  {
    id: "hr/휴가.md",
    text: "# 휴가 규정\n\n## 연차 휴가\n\n1년간 80퍼센트 이상 출근한 직원은 15일의 연차 휴가를 받습니다.\n\n## 병가\n\n병가는 진단서를 내면 1년에 60일까지 쓸 수 있습니다.",
    metadata: { language: "ko", year: 2024 },
  },
  {
    id: "hr/severance.md",
    text: "# Severance pay\n\nEmployees with one year of service receive severance pay of 30 days of average wages for each year.",
    metadata: { language: "en", year: 2023 },
  },
  {
    id: "it/security.md",
    text: "# Security\n\nPasswords must have at least 14 characters. Lost laptops are reported to security@example.com within one hour.",
    metadata: { language: "en", year: 2024 },
  },
] as const;

export async function addPages(ragline: Ragline): Promise<void> {
  for (const { metadata, ...page } of PAGES) await ragline.addDocument({ ...page, metadata: { ...metadata } });
}
