import { type Logger, pino } from "pino";
import { standardError } from "./standard-error.ts";

/** Lines of JSON, on standard error unless told otherwise, without secrets. */
export function createLogger(
  level: string,
  redact: (text: string) => string,
  out: { write(line: string): void } = standardError,
): Logger {
  return pino({ level }, { write: (line) => void out.write(redact(line)) });
}
