import { type Logger, pino } from "pino";

/** Lines of JSON, on standard error unless told otherwise, without secrets. */
export function createLogger(
  level: string,
  redact: (text: string) => string,
  out: { write(line: string): void } = standardError(),
): Logger {
  return pino({ level }, { write: (line) => void out.write(redact(line)) });
}

/** Of a terminal that is gone nothing more is heard, as pino does it with a pipe that nobody reads: it would end the process. */
function standardError(): { write(line: string): void } {
  const out = pino.destination(2);
  out.prependListener("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EIO") error.code = "EPIPE";
  });
  return out;
}
