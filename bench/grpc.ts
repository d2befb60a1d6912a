import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createGrpcEmbedders } from "../src/adapters/embedder/grpc.ts";
import { createStaticEmbedder } from "../src/adapters/embedder/static.ts";
import type { GrpcOptions } from "../src/adapters/grpc/channel.ts";
import { createGrpcRerankers } from "../src/adapters/reranker/grpc.ts";
import { createLexicalReranker } from "../src/adapters/reranker/lexical.ts";
import { percentile, round } from "./stats.ts";

const HELP = `npm run bench:grpc [-- options]

What a call costs more when its stage is a process of its own on this machine: the same adapter in process and behind
\`ragline stage\`, asked in turns, one caller. Embedding one question (static, 256 values), reranking 20 passages of 1 KB (lexical).

  --calls <n>  of each kind (default 3000)
  --json       the last line is one JSON object with every figure
  --help       this text
`;
const { values: options } = parseArgs({
  options: {
    calls: { type: "string", default: "3000" },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Milliseconds, from the issue that asked for stages apart. */
const LIMITS = { embed: 1.0, rerank: 1.5 } as const;
const WARM_UP = 500;
const SENTENCE = "퇴직금은 근로자가 퇴사한 날부터 14일 안에 지급합니다. Severance pay is due within 14 days. ";
const CALL = { signal: new AbortController().signal };

if (options.help) console.log(HELP);
else await run(Number(options.calls));

async function run(calls: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "ragline-bench-grpc-"));
  const stages = [await startStage("embed", folder), await startStage("rerank", folder)];
  const [embedAt = "", rerankAt = ""] = stages.map(({ address }) => address);
  const [{ port: embedder }] = await createGrpcEmbedders(clientOf("embed", embedAt));
  const [{ port: reranker }] = await createGrpcRerankers(clientOf("rerank", rerankAt));
  try {
    const [near, far] = [createStaticEmbedder(), embedder];
    const question = "퇴직금은 언제까지 지급해야 하나요?";
    const texts = Array.from({ length: 20 }, (_, i) => passageOf(i));
    const lexical = createLexicalReranker();
    const figures = {
      embed: await compare(calls, (i, apart) => (apart ? far : near).embed([`${question} ${i}`], "query", CALL)),
      rerank: await compare(calls, (_, apart) => (apart ? reranker : lexical).rerank(question, texts, CALL)),
    };
    const bars = Object.entries(LIMITS).map(([name, limit]) => {
      const { taxMs, inProcessMs, apartMs } = figures[name as keyof typeof figures];
      console.log(`${name}: in process p50 ${inProcessMs.p50} ms, apart p50 ${apartMs.p50} ms (p99 ${apartMs.p99})`);
      console.log(`  ${taxMs <= limit ? "pass" : "FAIL"}  tax p50 ${taxMs} ms (at most ${limit})`);
      return taxMs <= limit;
    });
    if (options.json) console.log(JSON.stringify(figures));
    if (bars.includes(false)) process.exitCode = 1;
  } finally {
    await embedder.close?.();
    await reranker.close?.();
    for (const { child } of stages) {
      child.kill("SIGTERM");
      await once(child, "close");
    }
    await rm(folder, { recursive: true, force: true });
  }
}

/** Both placements in turns, so that what else the machine does hits both. */
async function compare(calls: number, call: (i: number, isApart: boolean) => Promise<unknown>) {
  const times: Record<"near" | "apart", number[]> = { near: [], apart: [] };
  for (let i = 0; i < WARM_UP + calls; i++) {
    for (const isApart of [false, true]) {
      const startedAt = performance.now();
      await call(i, isApart);
      if (i >= WARM_UP) times[isApart ? "apart" : "near"].push(performance.now() - startedAt);
    }
  }
  const [inProcessMs, apartMs] = [summary(times.near), summary(times.apart)];
  return { calls, inProcessMs, apartMs, taxMs: round(apartMs.p50 - inProcessMs.p50, 3) };
}

function summary(times: readonly number[]) {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => round(percentile(times, share), 3));
  return { p50: p50 ?? Number.NaN, p95: p95 ?? Number.NaN, p99: p99 ?? Number.NaN };
}

/** 1 KB of UTF-8. */
function passageOf(i: number): string {
  const text = `${i}. ${SENTENCE.repeat(20)}`;
  return Buffer.from(text)
    .subarray(0, 1024)
    .toString("utf8")
    .replace(/\ufffd+$/, "");
}

function clientOf(step: GrpcOptions["step"], endpoint: string): GrpcOptions {
  const messageBytesMax = 67_108_864;
  return { step, endpoints: [endpoint], tls: false, keepAliveMs: 30_000, reconnectMaxMs: 5000, messageBytesMax };
}

async function startStage(name: string, folder: string): Promise<{ address: string; child: ChildProcess }> {
  const file = join(folder, `${name}.yaml`);
  await writeFile(file, "embed: { use: static }\nrerank: { use: lexical }\n");
  const bin = join(import.meta.dirname, "../bin/ragline.js");
  const child = spawn(process.execPath, [bin, "-c", file, "stage", name, "--port", "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.includes("serving\n")) break;
  }
  return { address: said.match(/listening on (\S+);/)?.[1] ?? "", child };
}
