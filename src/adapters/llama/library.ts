import type { Llama } from "node-llama-cpp";
import { RaglineError } from "../../errors.ts";

type Library = typeof import("node-llama-cpp");

/** The library tests its binary in a process of its own first, which a busy machine may keep waiting too long. */
const TRIES = 2;

/** @throws RaglineError `config_invalid`: the package is not installed. */
export function importLlama(): Promise<Library> {
  return import("node-llama-cpp").catch((cause: unknown) => {
    const message = "generate.use: llama needs the package node-llama-cpp: npm install node-llama-cpp@3";
    throw new RaglineError("config_invalid", message, { cause });
  });
}

/** Of the native side's latest complaints. */
const LOG_LINES_MAX = 5;

export interface OpenedLlama {
  readonly llama: Llama;
  /** What the native side complained of last, for errors that say nothing themselves. */
  complaints(): string;
}

/** The prebuilt CPU binary; nothing is compiled or downloaded. */
export async function openLlama({ getLlama, LlamaLogLevel }: Library, threads: number): Promise<OpenedLlama> {
  const lines: string[] = [];
  const logger = (_: unknown, line: string) => {
    if (line.trim() !== "") lines.push(line.trim());
    if (lines.length > LOG_LINES_MAX) lines.shift();
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const llama = await getLlama({
        gpu: false,
        build: "never",
        skipDownload: true,
        progressLogs: false,
        logLevel: LlamaLogLevel.error,
        logger,
        maxThreads: threads,
      });
      return { llama, complaints: () => lines.join("; ") };
    } catch (cause) {
      if (attempt < TRIES) continue;
      const message = `generate.use: node-llama-cpp has no binary that runs on ${process.platform}-${process.arch}; install its package @node-llama-cpp/… for this platform.`;
      throw new RaglineError("config_invalid", message, { cause });
    }
  }
}
