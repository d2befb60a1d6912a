import type { Logger } from "pino";
import type { Config } from "../index.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createRedaction } from "../telemetry/redaction.ts";

/** What a command at a terminal has to say of a failure: one line, with its cause; `serve` logs JSON instead. */
export function terminalLog(config: Config): Logger {
  const { level } = config.log;
  return createLogger(level === "info" ? "warn" : level, createRedaction(config), {
    write(line) {
      const { step, msg, err } = JSON.parse(line) as LogLine;
      const cause = err ? ` (${err.message?.replaceAll(".: ", ": ") || err.code || err.type})` : "";
      process.stderr.write(`ragline: ${step ? `${step}: ` : ""}${msg}${cause}\n`);
    },
  });
}

interface LogLine {
  readonly step?: string;
  readonly msg: string;
  readonly err?: { readonly message?: string; readonly code?: string; readonly type?: string };
}
