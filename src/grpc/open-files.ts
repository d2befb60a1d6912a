import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { connectionLimits } from "../open-files.ts";

/** Each connection that any server of the process takes, by Node; gRPC's library tells of none. */
const TAKEN = "net.server.socket";

/**
 * Keeps callers from taking every file that the process may open: connections beyond their share are closed, whose callers try again later.
 * @returns ends it
 */
export function keepOpenFiles(log: Logger): () => void {
  const max = connectionLimits(log);
  if (max === null) return () => undefined;
  let open = 0;
  const count = (message: unknown) => {
    const { socket } = message as { readonly socket: Socket };
    socket.once("close", () => open--);
    if (++open <= max.servedMax) return;
    max.tell();
    socket.destroy();
  };
  subscribe(TAKEN, count);
  return () => void unsubscribe(TAKEN, count);
}
