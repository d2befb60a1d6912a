import { closeSync, openSync } from "node:fs";
import type { Logger } from "pino";
import { loadConfig } from "../config.ts";
import { type Config, createRagline, type Ragline } from "../index.ts";
import { groupNames, parseRequest, tenantName } from "../requests.ts";
import { terminalLog } from "./log.ts";

const STOPPING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export interface CommandOptions {
  readonly change?: (config: Config) => Config;
  /** False: the command does not search, and need not load the index. */
  readonly warm?: boolean;
  /** For what runs for long, and whose log a machine reads; absent: the terminal's. */
  readonly log?: (config: Config) => Logger;
  /** Called at each SIGHUP but the one that says that the terminal is gone. Absent: each stops the command. */
  readonly onHangUp?: (ragline: Ragline) => void;
}

/** Opens a Ragline for one command and closes it whatever happens. What `stopSignal` hears aborts the signal. */
export async function withRagline<T>(
  configFile: string | undefined,
  use: (ragline: Ragline, signal: AbortSignal) => Promise<T>,
  options: CommandOptions = {},
): Promise<T> {
  const { change = (config) => config, warm = true, log, onHangUp } = options;
  const config = change(loadConfig(configFile));
  // Who asks at a terminal may read there what an upstream says of the question.
  const opened = log ? config : { ...config, log: { ...config.log, content: true } };
  const ragline = await createRagline(opened, { warm, log: (log ?? terminalLog)(config) });
  const stop = stopSignal(onHangUp && (() => onHangUp(ragline)));
  try {
    return await use(ragline, stop.signal);
  } finally {
    await ragline.close();
    stop.release();
  }
}

/** The configuration for another tenant, where the command line names one. */
export function asTenant(tenant: string | undefined): (config: Config) => Config {
  if (tenant === undefined) return (config) => config;
  const named = parseRequest(tenantName, tenant, "--tenant");
  return (config) => ({ ...config, tenant: named });
}

/** @throws RaglineError `request_invalid` */
export function groupsNamed(group: readonly string[]): readonly string[] {
  return parseRequest(groupNames, group, "--group");
}

/**
 * Aborts at Ctrl-C, SIGTERM, or the end of the terminal (SIGHUP). Ctrl-C after any of them ends the process; the others do not, as
 * supervisors repeat them. `onHangUp`: what a SIGHUP does while the terminal is there, or where there never was one.
 */
export function stopSignal(onHangUp?: () => void): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const hadTerminal = onHangUp !== undefined && hasTerminal();
  const stop = (name: NodeJS.Signals) => {
    if (name === "SIGHUP" && onHangUp && !(hadTerminal && !hasTerminal())) {
      if (!controller.signal.aborted) onHangUp();
      return;
    }
    if (name === "SIGINT" && controller.signal.aborted) process.exit(130);
    controller.abort(new DOMException(`stopped by ${name}`, "AbortError"));
  };
  for (const name of STOPPING) process.on(name, stop);
  return {
    signal: controller.signal,
    release() {
      for (const name of STOPPING) process.off(name, stop);
    },
  };
}

/** Whether the process belongs to one, as far as a file can be opened to look. */
function hasTerminal(): boolean {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch (thrown) {
    return /^E[MN]FILE$/.test((thrown as NodeJS.ErrnoException).code ?? "");
  }
}
