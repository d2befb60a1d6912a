import { RaglineError } from "./errors.ts";

/** Why an address cannot be listened on; `code`: the system's, as EADDRINUSE. */
export function notListening(field: string, address: string, code: string | undefined, cause: unknown): RaglineError {
  const reason =
    code === "EADDRINUSE"
      ? `is taken by another process; choose another${field.endsWith(".port") ? " with --port" : ""}`
      : `cannot be listened on (${code ?? "unknown reason"})`;
  return new RaglineError("config_invalid", `${field}: ${address} ${reason}`, { cause });
}

/** Whether only this machine reaches what listens on this address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(?:\.\d{1,3}){3}$/.test(host);
}
