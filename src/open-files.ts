import { readFileSync } from "node:fs";
import type { Logger } from "pino";

/** What a process has open by itself: databases, threads, standard streams. */
const OWN = 48;
/** Of what is left. The rest, five ninths, is for calls of models: one of each answer, and connections that are kept for the next. */
const SERVED_SHARE = 1 / 3;
const REFUSED_SHARE = 1 / 9;
/** More than so many calls and refusals at once need no files. */
const CALLS_MAX = 4096;
const REFUSED_MAX = 512;
const TOLD_EVERY_MS = 60_000;

interface Connections {
  readonly servedMax: number;
  /** Beyond those, to be told so. */
  readonly refusedMax: number;
}

/** `free`: files that may be open beside the process's own. */
export function connectionsOf(free: number): Connections {
  const refusedMax = Math.min(REFUSED_MAX, Math.max(1, Math.floor(free * REFUSED_SHARE)));
  return { servedMax: Math.max(2, Math.floor(free * SERVED_SHARE), free - CALLS_MAX - refusedMax), refusedMax };
}

/**
 * How many connections clients may have, so that files are left for the work; null where the process's limit of open files (`ulimit -n`) is
 * not known, or there is none. `tell`: the log that some are refused, once a minute at most.
 */
export function connectionLimits(log: Pick<Logger, "warn">): (Connections & { tell(): void }) | null {
  const limit = openFilesMax();
  if (limit === null) return null;
  const connections = connectionsOf(Math.max(0, limit - OWN));
  let toldAt = Number.NEGATIVE_INFINITY;
  return {
    ...connections,
    tell() {
      const now = performance.now();
      if (now - toldAt < TOLD_EVERY_MS) return;
      toldAt = now;
      log.warn(
        { openFilesMax: limit, connectionsMax: connections.servedMax },
        "connections are refused: more would take the files that answers need; raise the limit of open files (ulimit -n)",
      );
    },
  };
}

function openFilesMax(): number | null {
  try {
    const limit = Number(/^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]);
    return Number.isNaN(limit) ? null : limit;
  } catch {
    return null;
  }
}
