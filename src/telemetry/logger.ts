import { type Logger, pino } from "pino";

/** Lines of JSON, on standard error unless told otherwise, without secrets. */
export function createLogger(
  level: string,
  redact: (text: string) => string,
  out: { write(line: string): void } = pino.destination(2),
): Logger {
  return pino({ level }, { write: (line) => void out.write(redact(line)) });
}
