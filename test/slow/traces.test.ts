import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRagline } from "../../src/index.ts";
import { until } from "../support/calls.ts";
import { temporaryFolder } from "../support/folder.ts";
import { eventsOf, postJson } from "../support/http.ts";
import { found, pythonPackages } from "../support/installed.ts";
import { addPages, serveRagline } from "../support/ragline.ts";
import { freePorts } from "../support/redis.ts";
import { serveProcess } from "../support/served-process.ts";

const QUESTION = "연차 휴가는 며칠인가요?";
const phoenix = found("arize-phoenix", () => pythonPackages("arize-phoenix-20.26.1", ["arize-phoenix==20.26.1"]));
if (phoenix.missing) console.warn(`traces are not tried on a real receiver: ${phoenix.missing}`);

const folder = temporaryFolder();
afterAll(() => folder.remove());

interface PhoenixSpan {
  readonly name: string;
  readonly parent_id: string | null;
  readonly context: { readonly trace_id: string; readonly span_id: string };
  readonly attributes: Readonly<Record<string, unknown>>;
}

describe.skipIf(phoenix.there === null)("Phoenix takes the spans of two processes", () => {
  let server: ChildProcess;
  let http = 0;
  let grpc = 0;

  beforeAll(async () => {
    [http = 0, grpc = 0] = await freePorts(2);
    server = spawn(join(phoenix.there ?? "", "../../../bin/python"), ["-m", "phoenix.server.main", "serve"], {
      env: {
        ...process.env,
        PHOENIX_HOST: "127.0.0.1",
        PHOENIX_PORT: String(http),
        PHOENIX_GRPC_PORT: String(grpc),
        PHOENIX_WORKING_DIR: folder.path,
        PHOENIX_TELEMETRY_ENABLED: "false",
      },
      stdio: "ignore",
    });
    const ready = () =>
      fetch(`http://127.0.0.1:${http}/healthz`).then(
        (response) => response.ok,
        () => false,
      );
    await until("Phoenix serves", ready, 120_000);
  }, 150_000);
  afterAll(() => void server?.kill("SIGKILL"));

  const spans = async () => {
    const response = await fetch(`http://127.0.0.1:${http}/v1/projects/default/spans?limit=1000`);
    return response.ok ? ((await response.json()) as { data: PhoenixSpan[] }).data : [];
  };

  for (const protocol of ["http/protobuf", "grpc"] as const) {
    it(`over ${protocol}, with parents right across processes`, async () => {
      const telemetry = {
        traces: "otlp",
        protocol,
        endpoint: `http://127.0.0.1:${protocol === "grpc" ? grpc : http}`,
        sampling: 1,
      };
      const file = folder.file(`${protocol.replace("/", "-")}.db`);
      const stores = { search: { use: "sqlite", file }, session: { use: "sqlite", file }, cache: { use: "none" } };
      const behind = await serveProcess({ ...stores, telemetry });
      const served = await serveRagline({
        generate: { use: "openai", baseUrl: `${behind.url}/v1`, model: "extractive" },
        telemetry,
      } as never);
      await addPages(served.ragline);
      const traceId = (protocol === "grpc" ? "a" : "b").repeat(32);
      const traceparent = `00-${traceId}-00f067aa0ba902b7-01`;
      await eventsOf(await postJson(`${served.url}/v1/ask`, { question: QUESTION }, { traceparent }));
      await served.ragline.telemetry.traces?.flush();
      const ofTrace = async () => (await spans()).filter(({ context }) => context.trace_id === traceId);
      const named = async (name: string) => (await ofTrace()).find((one) => one.name === name);
      await until(
        "both processes' spans are there",
        async () => Boolean(await named("POST /v1/chat/completions")),
        30_000,
      );

      const chat = await named("chat extractive");
      // Both processes have a step of this name: the first's is the call's parent.
      const above = (await ofTrace()).find(({ context }) => context.span_id === chat?.parent_id);
      expect(above?.name).toBe("generate");
      expect((await named("POST /v1/chat/completions"))?.parent_id).toBe(chat?.context.span_id);
      expect((await named("POST /v1/ask"))?.parent_id).toBe("00f067aa0ba902b7");
      expect(JSON.stringify(chat?.attributes)).toContain("extractive");
      expect(JSON.stringify(await ofTrace())).not.toContain("연차");
      await served.close();
      await behind.kill();
    }, 120_000);
  }
});

it("a collector that is away is told of once, and costs no answer", async () => {
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line) => void lines.push(line) });
  const file = folder.file("away.db");
  const ragline = await createRagline(
    {
      search: { use: "sqlite", file },
      telemetry: { traces: "otlp", endpoint: "http://127.0.0.1:9", sampling: 1 },
    } as never,
    { log, warm: false },
  );
  await addPages(ragline);
  for (let i = 0; i < 2; i++) {
    expect((await ragline.answer({ question: QUESTION })).text).not.toBe("");
  }
  await until("it is said", () => lines.length > 0, 20_000);
  const since = performance.now();
  await ragline.close();
  expect(performance.now() - since).toBeLessThan(10_000);
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual([
    "spans cannot be sent to telemetry.endpoint; they are dropped",
  ]);
}, 60_000);
